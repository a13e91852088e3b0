import type { Run } from './run.js'

/** What is kept, so that the browser's store does not grow for ever. */
export const MOST_RUNS = 100

/**
 * Runs of this browser, in its IndexedDB. Where there is none (a private window of some browsers) nothing is kept, and nothing
 * else changes.
 */
export class History {
  readonly #database: Promise<IDBDatabase | undefined> = open()

  /** The newest first. */
  async load(): Promise<Run[]> {
    const runs = (await this.#do('readonly', store => store.getAll() as IDBRequest<Run[]>)) ?? []
    return runs.sort((a, b) => b.at - a.at)
  }

  async save(run: Run): Promise<void> {
    await this.#do('readwrite', store => store.put(run))
  }

  async remove(id: string): Promise<void> {
    await this.#do('readwrite', store => store.delete(id))
  }

  async #do<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
    const database = await this.#database
    if (database === undefined) return undefined
    return wait(act(database.transaction('runs', mode).objectStore('runs'))).catch(() => undefined)
  }
}

async function open(): Promise<IDBDatabase | undefined> {
  try {
    const request = indexedDB.open('wuerstchen', 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('runs', { keyPath: 'id' })
    }
    return await wait(request)
  } catch {
    return undefined
  }
}

function wait<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('The browser keeps nothing'))
  })
}
