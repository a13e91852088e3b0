/** What the page needs of an object store of the browser's IndexedDB. */
export interface Store<T> {
  all(): Promise<T[]>
  get(key: string): Promise<T | undefined>
  /** False: the browser has no room for it, or keeps nothing at all. */
  put(value: T): Promise<boolean>
  delete(key: string): Promise<void>
}

/**
 * One store in a database of its own. Where there is none (a private window of some browsers) nothing is kept, and nothing else
 * changes.
 */
export function openStore<T>(database: string, name: string, keyPath: string): Store<T> {
  const opened = open(database, name, keyPath)
  const act = async <R>(
    mode: IDBTransactionMode,
    request: (store: IDBObjectStore) => IDBRequest<R>
  ): Promise<{ value: R } | undefined> => {
    try {
      const database = await opened
      if (database === undefined) return undefined
      const transaction = database.transaction(name, mode)
      const value = await wait(request(transaction.objectStore(name)))
      // A write is refused for want of room when its transaction ends, after its request succeeded.
      if (mode === 'readwrite') await ended(transaction)
      return { value }
    } catch {
      return undefined
    }
  }
  return {
    all: async () => (await act('readonly', store => store.getAll() as IDBRequest<T[]>))?.value ?? [],
    get: async key => (await act('readonly', store => store.get(key) as IDBRequest<T | undefined>))?.value,
    put: async value => (await act('readwrite', store => store.put(value))) !== undefined,
    delete: async key => {
      await act('readwrite', store => store.delete(key))
    }
  }
}

async function open(database: string, name: string, keyPath: string): Promise<IDBDatabase | undefined> {
  try {
    const request = indexedDB.open(database, 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore(name, { keyPath })
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

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('The browser has no room'))
  })
}
