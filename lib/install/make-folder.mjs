// Folders with those above them.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Node's own (`recursive`) never returns where the system says that the
 * folder above does not exist although it does, as below /proc.
 * @param {string} folder
 * @throws what the system says where one cannot be made
 */
export function makeFolder(folder) {
  try {
    mkdirSync(folder)
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    const above = dirname(folder)
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return
    if (code !== 'ENOENT' || existsSync(above) || above === folder) throw error
    makeFolder(above)
    mkdirSync(folder)
  }
}
