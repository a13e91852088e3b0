import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '../../files/write-file.js'
import { makeFolder } from '../../install/make-folder.mjs'
import type { Blobs, Side } from './blobs.js'
import type { QueueDatabase } from './database.js'

/** Inputs are there a moment before their job. What is older than that and belongs to no job is left over. */
const YOUNG_MS = 60_000
const SWEEP_MS = 10_000

/** Files in a directory that all servers and workers see: a directory for each job. */
export class DirectoryBlobs implements Blobs {
  readonly #root: string
  readonly #database: QueueDatabase
  #swept = 0

  constructor({ directory }: { directory: string }, database: QueueDatabase) {
    this.#root = directory
    this.#database = database
  }

  async put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>): Promise<void> {
    if (parts.size === 0) return
    makeFolder(this.#folder(job, side))
    for (const [name, bytes] of parts) await writeWhole(this.#file(job, side, name), bytes)
  }

  async get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    const found = await Promise.all(
      names.map(async name => [name, await readFile(this.#file(job, side, name)).catch(() => undefined)] as const)
    )
    return new Map(found.flatMap(([name, bytes]) => (bytes === undefined ? [] : [[name, bytes]])))
  }

  async drop(job: string, side: Side, names: readonly string[]): Promise<void> {
    await Promise.all(names.map(name => rm(this.#file(job, side, name), { force: true })))
  }

  /** Whoever ends or forgets a job does so in the database alone. Its files go when somebody comes by here. */
  async sweep(): Promise<void> {
    if (performance.now() - this.#swept < SWEEP_MS) return
    this.#swept = performance.now()
    for (const job of await readdir(this.#root).catch(() => [] as string[])) {
      if (!SOUND.test(job)) continue
      const [work, result] = await this.#database.redis.hmget(this.#database.key(`job:${job}`), 'work', 'state')
      // Without its work it is over, and its inputs are of no use any more.
      if (typeof work !== 'string') await this.#removeOld(join(this.#root, job, 'in'))
      if (typeof result !== 'string') await this.#removeOld(join(this.#root, job))
    }
  }

  async #removeOld(path: string): Promise<void> {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && Date.now() - found.mtimeMs > YOUNG_MS) await rm(path, { recursive: true, force: true })
  }

  #folder(job: string, side: Side): string {
    if (!SOUND.test(job)) throw new Error('The id of a job is no name of a directory')
    return join(this.#root, job, side)
  }

  #file(job: string, side: Side, name: string): string {
    if (!SOUND.test(name)) throw new Error('The name of a part is no name of a file')
    return join(this.#folder(job, side), name)
  }
}

/** Names come from the database, which is not trusted with paths. */
const SOUND = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/
