import type { Hash } from 'node:crypto'
import { constants, type BigIntStats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { faultOf, FileFault } from './file-fault.js'

/** What is read at once. Between two reads an abort is seen, and a hash has little to do. */
const CHUNK = 1 << 20

/** A pipe without a writer would hold the thread that opens it, and a terminal would become the process's own. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

export interface ReadOptions {
  signal?: AbortSignal | undefined
  /** Gets every byte that is read, in order. */
  hash?: Hash
}

/**
 * A plain file, open for reading. Everything that is read through it, hashed or passed on as a descriptor is one file, whatever
 * its name stands for by then. Close it.
 */
export class PlainFile implements AsyncDisposable {
  readonly #handle: FileHandle
  readonly path: string
  readonly size: number
  /** Another text as soon as the file has been written to, or another file stands in its place: see `stampOf`. */
  readonly stamp: string
  /** When its status last changed. Nobody can set this time, so it belongs to the key of what is remembered of a file. */
  readonly changed: bigint

  private constructor(handle: FileHandle, path: string, found: BigIntStats) {
    this.#handle = handle
    this.path = path
    this.size = Number(found.size)
    this.stamp = stampOf(found)
    this.changed = found.ctimeNs
  }

  /**
   * Opens a file, links followed. A pipe, device, socket or directory is refused before it is opened, because opening one can
   * wait for ever or do something, and reading one may have no end.
   * @throws FileFault; the signal's reason
   */
  static async open(path: string, signal?: AbortSignal): Promise<PlainFile> {
    signal?.throwIfAborted()
    try {
      expectPlain(await stat(path, { bigint: true }))
      const handle = await open(path, OPEN_FLAGS)
      try {
        // Another file may have taken the name in the meantime.
        return new PlainFile(handle, path, expectPlain(await handle.stat({ bigint: true })))
      } catch (error) {
        await handle.close()
        throw error
      }
    } catch (error) {
      throw faultOf(error)
    }
  }

  /** The descriptor. It is valid until the file is closed. */
  get fd(): number {
    return this.#handle.fd
  }

  /** Reads the whole file into memory. One with more than `most` bytes is refused before it is read. */
  async read(most: number, { signal, hash }: ReadOptions = {}): Promise<Buffer> {
    if (this.size > most) throw new FileFault('large', `it has ${this.size} bytes, more than ${most}`)
    const bytes = allocate(this.size)
    for await (const chunk of this.#chunks(position => bytes.subarray(position), signal)) hash?.update(chunk)
    return bytes
  }

  /** Has every byte of the file hashed, and keeps none. */
  async hashInto(hash: Hash, signal?: AbortSignal): Promise<void> {
    const buffer = allocate(CHUNK)
    for await (const chunk of this.#chunks(() => buffer, signal)) hash.update(chunk)
  }

  /** @throws FileFault if the file has been written to since it was opened */
  async expectUnchanged(): Promise<void> {
    if (stampOf(await this.#stat()) !== this.stamp) throw new FileFault('changed', 'it changed while it was read')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing was written, so a failure to close loses nothing.
    await this.#handle.close().catch(() => {})
  }

  /** Reads the file's bytes, and makes sure that there are no more. `place` is where the bytes from a position go. */
  async *#chunks(place: (position: number) => Buffer, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    for (let position = 0; position < this.size; ) {
      signal?.throwIfAborted()
      const to = place(position)
      const length = await this.#readAt(to, Math.min(CHUNK, this.size - position), position)
      if (length === 0) throw new FileFault('changed', 'it became shorter while it was read')
      yield to.subarray(0, length)
      position += length
    }
    signal?.throwIfAborted()
    if ((await this.#readAt(Buffer.alloc(1), 1, this.size)) > 0)
      throw new FileFault('changed', 'it became longer while it was read')
  }

  async #readAt(to: Buffer, length: number, position: number): Promise<number> {
    try {
      return (await this.#handle.read(to, 0, length, position)).bytesRead
    } catch (error) {
      throw faultOf(error)
    }
  }

  async #stat(): Promise<BigIntStats> {
    try {
      return await this.#handle.stat({ bigint: true })
    } catch (error) {
      throw faultOf(error)
    }
  }
}

/**
 * Opens a plain file and reads it whole.
 * @param most the most bytes that it may have
 * @throws FileFault; the signal's reason
 */
export async function readPlainFile(path: string, most: number, options?: ReadOptions): Promise<Buffer> {
  await using file = await PlainFile.open(path, options?.signal)
  return await file.read(most, options)
}

/**
 * `dev,ino,size,mtimeNs`. The addon makes the same text of a descriptor and compares it (`ProgramSpec` in native.ts). The time of
 * the last change of status is not in it: a file whose name is given to another one has that too.
 */
function stampOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].join()
}

function expectPlain(found: BigIntStats): BigIntStats {
  if (found.isFile()) return found
  throw new FileFault('special', found.isDirectory() ? 'it is a directory' : 'it is not a plain file')
}

function allocate(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes)
  } catch (error) {
    throw faultOf(error)
  }
}
