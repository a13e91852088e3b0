import { readdir, readFile, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeWhole } from '../../../files/write-file.js'
import { makeFolder } from '../../../install/make-folder.mjs'
import type { FileStore, StoredFile } from './file-store.js'

/** Files in a directory that all servers and workers see. */
export class DirectoryFiles implements FileStore {
  // Where it is mounted differs between machines.
  readonly place = 'file:///DIRECTORY'
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const file = join(this.#root, path)
    const write = async () => {
      makeFolder(dirname(file))
      await writeWhole(file, bytes)
    }
    // Once more: whoever removes the last file of a folder can take it away in between.
    await write().catch(write)
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return readFile(join(this.#root, path)).catch(ifAbsent(undefined))
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#root, path), { force: true })
    // The folders of a job go with its last file. Whoever writes there makes them again.
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder))
      if (!(await emptied(join(this.#root, folder)))) return
  }

  async *list(folder = '.'): AsyncGenerator<StoredFile> {
    for (const entry of await readdir(join(this.#root, folder), { withFileTypes: true }).catch(ifAbsent([]))) {
      const path = folder === '.' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) yield* this.list(path)
      else {
        const found = await stat(join(this.#root, path)).catch(ifAbsent(undefined))
        if (found !== undefined) yield { path, ageMs: Date.now() - found.mtimeMs }
      }
    }
  }
}

async function emptied(folder: string): Promise<boolean> {
  return rmdir(folder).then(
    () => true,
    () => false
  )
}

/** What stands in for what is not there. Any other failure stays one: a share that is away has lost no files. */
function ifAbsent<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return error => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value
    throw error
  }
}
