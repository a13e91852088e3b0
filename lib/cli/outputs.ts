import { mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import { invalid, type WuerstchenError } from '../errors.js'
import { expectTarget } from '../files/target.js'
import { isReaderGone } from '../files/write-fault.js'
import { writeToStdout, writeWhole } from '../files/write-file.js'
import { failureOf, report, type Failure } from './outcome.js'

/** An image needs more, whatever is in it: a disk with less room is not worth the work. */
const LEAST_BYTES = 16 * 1024

/** Files that a flag names, `-` for stdout. */
export interface Output {
  flag: string
  files: readonly string[]
}

export interface ClobberFlag {
  /** False with --no-clobber. */
  clobber: boolean
}

/** What became of an output. */
export interface Saved {
  /** Where the bytes are; null if they are nowhere. */
  file: string | null
  /** Why they are not where they were meant to be. */
  error?: Failure
}

/**
 * Refuses what cannot be written, before minutes of work are spent on it.
 * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY
 */
export async function checkOutputs(outputs: readonly Output[], { clobber }: ClobberFlag): Promise<void> {
  const least = LEAST_BYTES * outputs.reduce((sum, { files }) => sum + files.length, 0)
  const flags = new Map<string, string>()
  for (const { flag, files } of outputs) {
    for (const file of files) {
      const place = await placeOf(file, clobber, least)
      const other = flags.get(place)
      if (other !== undefined && other !== flag) throw invalid(flag, `another place than that of ${other}`, file)
      flags.set(place, flag)
    }
  }
}

/** What two names of one file have in common. */
async function placeOf(file: string, clobber: boolean, least: number): Promise<string> {
  if (await isStdout(file)) return '-'
  const { kind, path } = await expectTarget(file, { clobber, least })
  return kind === 'descriptor' ? path : join(await realpath(dirname(path)), basename(path))
}

/** Whether a name stands for stdout, which is then not told where it went. */
export async function isStdout(file: string): Promise<boolean> {
  if (file === '-') return true
  const target = await expectTarget(file).catch(() => undefined)
  return target?.kind === 'descriptor' && target.descriptor === 1
}

/** Whether a name stands for a pipe, a device or a descriptor, which has no place for a second file. */
export async function isStream(file: string): Promise<boolean> {
  if (file === '-') return true
  const target = await expectTarget(file).catch(() => undefined)
  return target?.kind === 'stream' || target?.kind === 'descriptor'
}

/**
 * Writes what has been made. Minutes of work are in it: where it cannot be written, it goes to the system's folder for temporary
 * files, the user is told, and the command fails in the end. A reader that leaves early is no failure.
 * @throws the signal's reason
 */
export async function save(file: string, data: Uint8Array, { clobber }: ClobberFlag, signal?: AbortSignal): Promise<Saved> {
  try {
    if (await isStdout(file)) await writeToStdout(data, signal)
    else await writeWhole(file, data, { clobber, signal })
    return { file }
  } catch (error) {
    signal?.throwIfAborted()
    if (isReaderGone(error)) return { file }
    process.exitCode = 1
    report(error)
    return { ...(await rescue(file, data)), error: failureOf(error as WuerstchenError) }
  }
}

async function rescue(file: string, data: Uint8Array): Promise<{ file: string | null }> {
  try {
    const place = join(await mkdtemp(join(tmpdir(), 'wuerstchen-')), `rescued${extname(file)}`)
    await writeWhole(place, data)
    console.error(`It was written to ${place} instead`)
    return { file: place }
  } catch (error) {
    report(error)
    return { file: null }
  }
}
