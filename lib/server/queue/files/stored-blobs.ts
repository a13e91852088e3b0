import { refused } from '../../jobs/failure.js'
import type { Blobs, Side } from '../blobs.js'
import type { QueueDatabase } from '../queue-database.js'
import type { FileStore, LinkedImage, StoredFile } from './file-store.js'

/** Inputs are there before their job, and a worker that was away writes after its end: younger files are left alone. */
const YOUNG_MS = 300_000
const ORPHANS_MS = 3_600_000
const MOST_AT_ONCE = 20

export interface StoredBlobsTimes {
  youngMs: number
  /** How often all files are looked through. */
  orphansMs: number
}

/**
 * Files of jobs outside the queue's database. The database says which jobs have left files (`leftOver`), and one process after
 * the other deletes them. What no record tells of any more, after a crash say, is found by looking through all files once an
 * hour.
 */
export class StoredBlobs implements Blobs {
  readonly elsewhere = true
  readonly place: string
  readonly #files: FileStore
  readonly #database: QueueDatabase
  readonly #times: StoredBlobsTimes
  #sweeping = false

  constructor(files: FileStore, database: QueueDatabase, times: StoredBlobsTimes = { youngMs: YOUNG_MS, orphansMs: ORPHANS_MS }) {
    this.#files = files
    this.place = files.place
    this.#database = database
    this.#times = times
  }

  async put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await reached(() => inTurn([...parts], ([name, bytes]) => this.#files.write(pathOf(job, side, name), bytes)))
  }

  async get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>()
    await reached(() =>
      inTurn(names, async name => {
        const bytes = await this.#files.read(pathOf(job, side, name))
        if (bytes !== undefined) found.set(name, bytes)
      })
    )
    return found
  }

  async drop(job: string, side: Side, names: readonly string[]): Promise<void> {
    await reached(() => inTurn(names, name => this.#files.remove(pathOf(job, side, name))))
  }

  async address(job: string, { name, ...image }: Omit<LinkedImage, 'path'> & { name: string }, seconds: number) {
    return this.#files.address?.({ path: pathOf(job, 'out', name), ...image }, seconds)
  }

  /** In the background: a store that answers slowly holds up nobody. */
  sweep(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    void this.#sweep()
      // There is the next time, and what could not be deleted is still known.
      .catch(() => {})
      .finally(() => {
        this.#sweeping = false
      })
  }

  close(): void {
    this.#files.close?.()
  }

  async #sweep(): Promise<void> {
    await inTurn(await this.#database.leftOver(MOST_AT_ONCE, this.#times.youngMs), async ({ id, due }) => {
      const files: StoredFile[] = []
      if (SOUND.test(id)) for await (const file of this.#files.list(id)) files.push(file)
      if (await this.#clear(id, files)) await this.#database.cleared(id, due)
    })
    await this.#lookThrough()
  }

  /** @returns whether nothing is left that nobody wants */
  async #clear(job: string, files: readonly StoredFile[]): Promise<boolean> {
    const wanted: ReadonlySet<string> = await this.#database.wantedSides(job)
    const unwanted = files.filter(({ path }) => !wanted.has(path.split('/')[1] ?? ''))
    const old = unwanted.filter(({ ageMs }) => ageMs >= this.#times.youngMs)
    await inTurn(old, ({ path }) => this.#files.remove(path))
    return old.length === unwanted.length
  }

  async #lookThrough(): Promise<void> {
    if (!(await this.#database.turn('lookedThrough', this.#times.orphansMs))) return
    let [job, files]: [string, StoredFile[]] = ['', []]
    const clear = async () => {
      if (SOUND.test(job)) await this.#clear(job, files)
    }
    // The files of a job come one after the other.
    for await (const file of this.#files.list()) {
      const of = file.path.split('/')[0]!
      if (of !== job) {
        await clear()
        ;[job, files] = [of, []]
      }
      files.push(file)
    }
    await clear()
  }
}

/** Names come from the database, which is not trusted with paths. */
const SOUND = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/

function pathOf(job: string, side: Side, name: string): string {
  for (const each of [job, name]) if (!SOUND.test(each)) throw new Error('The name of a file of a job is no name of a file')
  return `${job}/${side}/${name}`
}

/** @throws WuerstchenError QUEUE_FULL, whose subject is `results`, where the store cannot be reached or refuses */
async function reached<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw refused('results', error)
  }
}

const AT_ONCE = 8

/** Some at the same time, all in the end. */
async function inTurn<T>(all: Iterable<T>, act: (each: T) => Promise<void>): Promise<void> {
  const waiting = [...all]
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await act(next)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, lane))
}
