import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'

const unfinished = new Set<string>()

/**
 * Lends `work` the name of a temporary file in a folder. If `work` fails, or the process exits meanwhile, nothing is left there.
 * The name is short, and not made of the name that the file gets in the end: that may be as long as a name can be.
 */
export async function withTemporary(directory: string, work: (path: string) => Promise<void>): Promise<void> {
  const path = `${directory}/.${randomBytes(6).toString('hex')}.tmp`
  if (unfinished.size === 0) process.on('exit', removeTemporaries)
  unfinished.add(path)
  try {
    await work(path)
  } catch (error) {
    await rm(path, { force: true }).catch(() => {})
    throw error
  } finally {
    unfinished.delete(path)
    if (unfinished.size === 0) process.off('exit', removeTemporaries)
  }
}

/** For an end that runs no handlers: removes the temporary files of writes that have not ended. */
export function removeTemporaries(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { force: true })
    } catch {
      // The process ends, and nobody is left who could be told.
    }
  }
}
