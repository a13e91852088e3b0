import { constants, fstatSync, type Stats } from 'node:fs'
import { access, lstat, readlink, realpath, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { invalid } from '../errors.js'
import { systemFault, writeFault } from './write-fault.js'

/** Linux follows as many links. */
const MOST_LINKS = 40
const { W_OK, X_OK } = constants

/** What a name stands for when something is to be written under it. */
export type Target = { /** Links are followed. */ path: string } & (
  | { kind: 'absent' }
  | { kind: 'file'; found: Stats /** Whether a new file may take its place. */; replaceable: boolean }
  /** A pipe with a name, or a device. */
  | { kind: 'stream'; pipe: boolean }
  /** A file descriptor of this process: /dev/stdout, /dev/fd/3, or what the shell makes of `>(…)`. */
  | { kind: 'descriptor'; descriptor: number; found: Stats }
)

export interface TargetChecks {
  /** Whether a file that is there may be overwritten. Defaults to true. */
  clobber?: boolean
  /** The fewest bytes that can be needed. A disk with less is full. */
  least?: number
}

/**
 * Finds out what a name stands for, and refuses what can be known to fail before anything is written.
 * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY
 */
export async function expectTarget(name: string, { clobber = true, least = 0 }: TargetChecks = {}): Promise<Target> {
  if (name === '' || name.includes('\0')) throw invalid('path', 'a path without zero bytes', name)
  try {
    const target = await findTarget(name)
    if (target.kind === 'file' && !clobber) throw systemFault('EEXIST')
    if (target.kind === 'absent' || (target.kind === 'file' && target.replaceable)) await expectRoom(dirname(target.path), least)
    return target
  } catch (error) {
    throw writeFault(name, error)
  }
}

async function findTarget(name: string): Promise<Target> {
  const { path, descriptor, found } = await followLinks(name)
  if (descriptor !== undefined) {
    const open = fstatSync(descriptor)
    if (open.isDirectory()) throw systemFault('EISDIR')
    return { path, kind: 'descriptor', descriptor, found: open }
  }
  const folder = dirname(path)
  if (found === undefined) {
    if (!(await stat(folder)).isDirectory()) throw systemFault('ENOTDIR')
    await access(folder, W_OK | X_OK)
    return { path, kind: 'absent' }
  }
  if (found.isDirectory()) throw systemFault('EISDIR')
  // A disk is never meant, and a socket cannot be opened.
  if (found.isBlockDevice() || found.isSocket()) throw systemFault('ENXIO')
  // Whoever may write to the folder could replace a file that is read-only. But somebody protected that file.
  await access(path, W_OK)
  if (!found.isFile()) return { path, kind: 'stream', pipe: found.isFIFO() }
  return { path, kind: 'file', found, replaceable: (await isWritable(folder)) && isOwn(found) }
}

/**
 * Follows links one by one: the last may lead to a file that is to be made, and one in /proc to a descriptor, whose text is no
 * path. Nothing is normalised, because the system sees `a/../b` otherwise where `a` is a link.
 */
async function followLinks(name: string): Promise<{ path: string; descriptor?: number; found?: Stats }> {
  let path = name
  for (let links = 0; links <= MOST_LINKS; links++) {
    if (/(^|\/)\.{0,2}$/.test(path)) throw systemFault('EISDIR')
    const descriptor = await descriptorOf(path)
    if (descriptor !== undefined) return { path, descriptor }
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    if (found === undefined) return { path }
    if (!found.isSymbolicLink()) return { path, found }
    const link = await readlink(path)
    path = link.startsWith('/') ? link : `${dirname(path)}/${link}`
  }
  throw systemFault('ELOOP')
}

async function descriptorOf(path: string): Promise<number | undefined> {
  const digits = /\/(\d{1,9})$/.exec(path)?.[1]
  if (digits === undefined) return undefined
  const folder = await realpath(dirname(path)).catch(() => '')
  return folder === `/proc/${process.pid}/fd` || folder === '/dev/fd' ? Number(digits) : undefined
}

async function isWritable(folder: string): Promise<boolean> {
  return access(folder, W_OK | X_OK).then(
    () => true,
    () => false
  )
}

/** A new file would be another user's, and only the system's administrator can give it away. */
function isOwn({ uid }: Stats): boolean {
  const user = process.geteuid?.()
  return user === 0 || user === uid
}

async function expectRoom(folder: string, least: number): Promise<void> {
  if (least === 0) return
  const facts = await statfs(folder).catch(() => undefined)
  if (facts === undefined) return
  const { blocks, bavail, bfree, bsize } = facts
  // Some file systems do not know how large they are. Some blocks are kept for the administrator.
  const free = process.geteuid?.() === 0 ? bfree : bavail
  if (blocks > 0 && free * bsize < least) throw systemFault('ENOSPC')
}
