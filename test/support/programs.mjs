import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findPostgres } from '../../bench/scale/postgres.mjs'
import { findChromium } from '../../scripts/pictures/chromium.mjs'
import { clientsAreThere } from '../../scripts/setup/clients.mjs'
import { s3IsThere } from '../../scripts/setup/s3.mjs'

/** @param {string} name @returns {boolean} whether it is on the PATH */
export const isOnPath = name => (process.env.PATH ?? '').split(delimiter).some(directory => existsSync(join(directory, name)))

/**
 * What some tests need and no package of this one installs, with the tests that are left out without it. `.ci/run` installs all
 * of it.
 */
export const PROGRAMS = {
  chromium: { part: 'the web page in a browser', isThere: () => findChromium() !== undefined },
  curl: { part: 'the calls with curl of docs/server.md and docs/jobs.md', isThere: () => isOnPath('curl') },
  zsh: { part: "the completion of zsh in zsh's own eyes", isThere: () => isOnPath('zsh') },
  fish: { part: "the completion of fish in fish's own eyes", isThere: () => isOnPath('fish') },
  exiftool: { part: 'image files rewritten and read by ExifTool', isThere: () => isOnPath('exiftool') },
  exiv2: { part: 'image files rewritten and read by Exiv2', isThere: () => isOnPath('exiv2') },
  'redis-server': { part: 'servers and workers on a queue in Redis', isThere: () => isOnPath('redis-server') },
  postgresql: { part: 'servers and workers on a queue in PostgreSQL', isThere: () => findPostgres() !== undefined },
  'test/clients': { part: 'the clients of others, and image files saved again by Pillow', isThere: clientsAreThere },
  'test/s3': { part: 'files of jobs in a store that speaks S3', isThere: s3IsThere }
}

/** @param {keyof typeof PROGRAMS} name whether the tests that need a program can run; with CI set they do, and fail without it */
export function has(name) {
  return process.env.CI !== undefined || PROGRAMS[name].isThere()
}

/** @returns {string[]} what a run leaves out here, by name */
export function leftOut() {
  return Object.entries(PROGRAMS)
    .filter(([name]) => !has(/** @type {keyof typeof PROGRAMS} */ (name)))
    .map(([name, { part }]) => `${part} (there is no ${name})`)
}
