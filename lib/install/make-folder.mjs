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
    makeOne(folder)
  } catch (error) {
    const above = dirname(folder)
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT' || above === folder) throw error
    if (!existsSync(above)) makeFolder(above)
    makeOne(folder)
  }
}

/**
 * Another process may make the same folder at the same time.
 * @param {string} folder
 */
function makeOne(folder) {
  try {
    mkdirSync(folder)
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST' || !statSync(folder).isDirectory()) throw error
  }
}
