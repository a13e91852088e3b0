import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { SetupError } from './error.mjs'

/**
 * An empty folder for what a command makes. What is there is deleted only if the command has made it: a slip in `--out` would
 * delete a clone or a home folder otherwise.
 * @param {string} folder
 * @param {(folder: string) => boolean} isOwn whether an earlier run has made what is there
 */
export function emptyFolder(folder, isOwn) {
  if (existsSync(folder) && readdirSync(folder).length > 0 && !isOwn(folder))
    throw new SetupError(`Expected an empty folder, or one that this command has made, for --out but received ${folder}.`, [
      'Name another folder, or delete this one yourself.'
    ])
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}
