import { constants, fsync, write } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemFault } from './write-fault.js'
import type { Target } from './target.js'

/** Between two writes an abort is seen. */
const CHUNK = 1 << 20

/** How long a pipe is left alone that has no reader, or whose reader is slow. */
const [SHORTEST_MS, LONGEST_MS] = [1, 32]

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants

// A file handle of Yarn's Plug'n'Play has no `sync`, and one that is lent has no handle at all.
const [flush, writeTo] = [promisify(fsync), promisify(write)]

/** Writes all bytes to an open file, from a position, else from where it stands. Waits where the system would have to. */
export async function pour(
  descriptor: number,
  data: Uint8Array,
  signal?: AbortSignal,
  position: number | null = null
): Promise<void> {
  let wait = SHORTEST_MS
  for (let at = 0; at < data.length; ) {
    signal?.throwIfAborted()
    try {
      const length = Math.min(CHUNK, data.length - at)
      at += (await writeTo(descriptor, data, at, length, position === null ? null : position + at)).bytesWritten
      wait = SHORTEST_MS
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await setTimeout(wait)
      wait = Math.min(2 * wait, LONGEST_MS)
    }
  }
  signal?.throwIfAborted()
}

/** Sees to it that the bytes of a file survive the machine's end. Some file systems cannot. */
export async function sync({ fd }: FileHandle): Promise<void> {
  await flush(fd).catch((error: NodeJS.ErrnoException) => {
    if (!['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EROFS'].includes(error.code ?? '')) throw error
  })
}

/**
 * Writes over what a file holds. Its links, its owner and its place stay. What needs more room than the file has is written
 * first, so that a full disk leaves it as it was; another failure leaves it damaged.
 */
export async function overwrite(path: string, data: Uint8Array): Promise<void> {
  const file = await open(path, O_WRONLY | O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile()) throw systemFault('ENXIO')
    await pour(file.fd, data.subarray(found.size), undefined, found.size).catch(async (error: unknown) => {
      await file.truncate(found.size)
      throw error
    })
    await pour(file.fd, data.subarray(0, found.size), undefined, 0)
    await file.truncate(data.length)
    await sync(file)
  } finally {
    await file.close()
  }
}

/**
 * Writes to a pipe or a device. One that would wait holds a thread of Node's pool, even beyond the process's end. Therefore it is
 * opened without waiting, and asked again.
 */
export async function pourInto(
  target: Extract<Target, { kind: 'stream' }>,
  data: Uint8Array,
  signal?: AbortSignal
): Promise<void> {
  const stream = await openStream(target, signal)
  try {
    await pour(stream.fd, data, signal)
  } finally {
    await stream.close()
  }
}

/** A pipe that nobody reads from cannot be opened without waiting. */
async function openStream({ path, pipe }: Extract<Target, { kind: 'stream' }>, signal?: AbortSignal): Promise<FileHandle> {
  while (true) {
    signal?.throwIfAborted()
    try {
      return await open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY)
    } catch (error) {
      if (!pipe || (error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
      await setTimeout(LONGEST_MS)
    }
  }
}

/** Writes to a descriptor that this process was given, from where it stands. It stays open. */
export async function pourIntoDescriptor(
  { path, descriptor, found }: Extract<Target, { kind: 'descriptor' }>,
  data: Uint8Array,
  signal?: AbortSignal
): Promise<void> {
  const own = found.isFIFO() || found.isCharacterDevice() ? await reopened(path, found.isFIFO()) : undefined
  try {
    await pour(own?.fd ?? descriptor, data, signal)
  } finally {
    await own?.close()
  }
}

/** The same pipe or device once more, so that writing to it does not wait. Where that is not allowed, the descriptor is used. */
async function reopened(path: string, pipe: boolean): Promise<FileHandle | undefined> {
  return await open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY).catch((error: NodeJS.ErrnoException) => {
    // Nobody can come to read from a pipe without a name.
    if (pipe && error.code === 'ENXIO') throw systemFault('EPIPE')
    return undefined
  })
}
