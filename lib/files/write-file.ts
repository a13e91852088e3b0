import { fchmod, fchown, fstatSync, type Stats } from 'node:fs'
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { overwrite, pour, pourInto, pourIntoDescriptor, sync } from './pour.js'
import { expectTarget } from './target.js'
import { withTemporary } from './temporary.js'
import { writeFault } from './write-fault.js'

// By descriptor, because somebody else could give the name to another file, and the administrator would give that away.
const [giveTo, setMode] = [promisify(fchown), promisify(fchmod)]

export interface WriteOptions {
  /** Whether a file that is there may be overwritten. Defaults to true. Pipes and devices hold nothing that could be lost. */
  clobber?: boolean | undefined
  /** Ends the wait for a pipe's reader, and a write that has not ended. Nothing is left then. */
  signal?: AbortSignal | undefined
}

/** What the system says where a file may be written to, but not replaced: it is mounted there, or its folder is protected. */
const IRREPLACEABLE: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV', 'EINVAL'])

/** What a file system says that has no hard links. */
const WITHOUT_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

/**
 * Writes a file whole or not at all: a new file takes the name when it is complete and on the disk, with the mode and the owner
 * of the one before. Links are followed. Pipes, devices and descriptors stay what they are, and get the bytes. A file that can
 * be written to but not replaced is overwritten in place.
 * @throws WuerstchenError INVALID_ARGUMENT for a path that cannot be written to, OUT_OF_MEMORY if the system refused room, memory
 *   or a descriptor; the signal's reason
 */
export async function writeWhole(path: string, data: Uint8Array, { clobber = true, signal }: WriteOptions = {}): Promise<void> {
  signal?.throwIfAborted()
  const target = await expectTarget(path, { clobber })
  try {
    if (target.kind === 'stream') await pourInto(target, data, signal)
    else if (target.kind === 'descriptor') await pourIntoDescriptor(target, data, signal)
    else if (target.kind === 'absent') await create(target.path, data, clobber, signal)
    else if (target.replaceable) await replace(target.path, target.found, data, signal)
    else await overwrite(target.path, data)
  } catch (error) {
    signal?.throwIfAborted()
    throw writeFault(path, error)
  }
}

async function create(path: string, data: Uint8Array, clobber: boolean, signal: AbortSignal | undefined): Promise<void> {
  await withTemporary(dirname(path), async temporary => {
    await write(temporary, data, undefined, signal)
    if (clobber) await rename(temporary, path)
    else await takeFreeName(temporary, path, data)
  })
  await syncFolder(path)
}

async function replace(path: string, found: Stats, data: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  try {
    await withTemporary(dirname(path), async temporary => {
      await write(temporary, data, found, signal)
      await rename(temporary, path)
    })
  } catch (error) {
    signal?.throwIfAborted()
    if (!IRREPLACEABLE.has((error as NodeJS.ErrnoException).code)) throw error
    return await overwrite(path, data)
  }
  await syncFolder(path)
}

/** @param before the file whose owner and mode the new one gets */
async function write(path: string, data: Uint8Array, before: Stats | undefined, signal: AbortSignal | undefined): Promise<void> {
  // Until it has its owner, nobody else may read what perhaps only few may.
  await withFile(await open(path, 'wx', before === undefined ? 0o666 : 0o600), async file => {
    await pour(file.fd, data, signal)
    if (before !== undefined) {
      // A change of the owner takes bits of the mode away.
      await giveTo(file.fd, before.uid, before.gid)
      await setMode(file.fd, before.mode & 0o7777)
    }
    await sync(file)
  })
}

/** A rename would replace a file that somebody has made in the meantime. A second link cannot. */
async function takeFreeName(temporary: string, path: string, data: Uint8Array): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    if (!WITHOUT_LINKS.has((error as NodeJS.ErrnoException).code)) throw error
    await writeNew(path, data)
  }
  await rm(temporary, { force: true })
}

/** A new file under its own name. It is not there whole from the start, but it is never another one. */
async function writeNew(path: string, data: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await withFile(file, async () => {
      await pour(file.fd, data)
      await sync(file)
    })
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

async function withFile(file: FileHandle, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await work(file)
  } finally {
    await file.close()
  }
}

/** A name is in its folder, which has to survive as well. The file itself is safe by now, so a failure is none. */
async function syncFolder(path: string): Promise<void> {
  await open(dirname(path), 'r')
    .then(folder => withFile(folder, sync))
    .catch(() => {})
}

/**
 * Writes to stdout, and waits for a slow reader in a way that an abort ends.
 * @throws WuerstchenError INVALID_ARGUMENT if the reader has left (`isReaderGone`), OUT_OF_MEMORY; the signal's reason
 */
export async function writeToStdout(data: Uint8Array, signal?: AbortSignal): Promise<void> {
  const stdout = 1
  try {
    const target = { kind: 'descriptor', path: `/proc/self/fd/${stdout}`, descriptor: stdout, found: fstatSync(stdout) } as const
    await pourIntoDescriptor(target, data, signal)
  } catch (error) {
    signal?.throwIfAborted()
    throw writeFault('stdout', error)
  }
}
