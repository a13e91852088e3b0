import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { invalid, WuerstchenError } from '../errors.js'
import { isRefusal } from '../files/file-fault.js'

/**
 * Writes a file whole or not at all: readers never see a part of it, and a failure leaves the previous file. Links are followed.
 * A device or a pipe stays what it is, and gets the bytes.
 * @throws WuerstchenError INVALID_ARGUMENT for what no path can be, OUT_OF_MEMORY if the system refused room, memory or a
 *   descriptor; other errors of the file system as Node gives them
 */
export async function writeFileAtomically(path: string, data: Uint8Array): Promise<void> {
  if (path === '' || path.includes('\0')) throw invalid('path', 'a path without zero bytes', path)
  try {
    const target = await realpath(path).catch(() => path)
    await ((await isSpecial(target)) ? writeFile(target, data) : replaceFile(target, data))
  } catch (error) {
    throw typed(path, error)
  }
}

async function replaceFile(path: string, data: Uint8Array): Promise<void> {
  // The temporary file is in the same directory, because a rename is atomic only within one file system. Its name is short,
  // because the path's own may be as long as a name can be.
  const temporary = join(dirname(path), `.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Something that is there and is neither a file nor a directory. */
async function isSpecial(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && !found.isFile() && !found.isDirectory()
}

function typed(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (!isRefusal({ code })) return error
  return new WuerstchenError('OUT_OF_MEMORY', `Expected room for the file ${path} but the system said ${code}`, {
    subject: path,
    cause: error
  })
}
