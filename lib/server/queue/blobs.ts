import type { LinkedImage } from './files/file-store.js'

/** What a job was sent, and what it makes. */
export type Side = 'in' | 'out'

/**
 * Where the files of jobs are. Whoever ends or forgets a job in the database lets them go too, so nothing here has to remember
 * what may be deleted.
 */
export interface Blobs {
  /** Whether files are outside the database, which then says whose files are left over. */
  readonly elsewhere: boolean
  /** What `--results` says, as far as it has to be equal on all machines: directories can have other paths. */
  readonly place: string
  /** Keeps parts for at least `ttlMs`, beside those that are there. */
  put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void>
  /** Those of the parts that are there. */
  get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>>
  /** Lets go of parts. */
  drop(job: string, side: Side, names: readonly string[]): Promise<void>
  /** An address by which anybody can have an image for so long; undefined or missing where servers give it. */
  address?(job: string, image: Omit<LinkedImage, 'path'> & { name: string }, seconds: number): Promise<string | undefined>
  /** Deletes what belongs to no job any more; nothing to do where the database does it. */
  sweep?(): void
  close?(): void
}
