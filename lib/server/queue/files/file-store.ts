import type { ImageFormat } from '../../../index.js'

/** A file that is there. */
export interface StoredFile {
  path: string
  /** Since it was written, by the clock of the store. */
  ageMs: number
}

/** An image file, for whoever gets an address of it. */
export interface LinkedImage {
  path: string
  format: ImageFormat
  seed: number
}

/** A place for files outside the queue's database. Paths are names with slashes between them, which have been checked. */
export interface FileStore {
  /** A `place` of `Blobs`. */
  readonly place: string
  /** Writes a file whole or not at all. */
  write(path: string, bytes: Uint8Array): Promise<void>
  /** Undefined where there is no such file. A file that is not whole is an error. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Also where there is no such file. */
  remove(path: string): Promise<void>
  /** All files of a folder and of the folders in it; of all folders where none is named. */
  list(folder?: string): AsyncIterable<StoredFile>
  /** An address by which anybody can read the file for so long; missing where the store has none. */
  address?(image: LinkedImage, seconds: number): Promise<string>
  /** Ends what is under way. */
  close?(): void
}
