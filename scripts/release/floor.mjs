import { execFileSync } from 'node:child_process'
import { SetupError } from '../setup/error.mjs'
import { atLeast } from '../../lib/install/version.mjs'

/**
 * The newest symbols that an addon of a release may ask the system for. They are those of Debian 12, which Ubuntu 22.04 has too;
 * scripts/release/Containerfile builds with the floor of LibTorch itself. docs/install.md states them.
 */
export const floor = { GLIBC: '2.34', GLIBCXX: '3.4.30', CXXABI: '1.3.13' }

/**
 * The newest version of each that a file asks for.
 * @param {string} file
 * @returns {Record<keyof typeof floor, string>}
 */
export function neededBy(file) {
  const symbols = execFileSync('objdump', ['-T', file], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  const newest = { GLIBC: '0', GLIBCXX: '0', CXXABI: '0' }
  for (const [, name, version] of symbols.matchAll(/\b(GLIBC|GLIBCXX|CXXABI)_(\d[\d.]*)/g)) {
    const key = /** @type {keyof typeof floor} */ (name)
    if (atLeast(/** @type {string} */ (version), newest[key])) newest[key] = /** @type {string} */ (version)
  }
  return newest
}

/** @param {string} file @param {Record<keyof typeof floor, string>} [allowed] */
export function checkFloor(file, allowed = floor) {
  const needed = neededBy(file)
  for (const name of /** @type {(keyof typeof floor)[]} */ (Object.keys(allowed)))
    if (!atLeast(allowed[name], needed[name]))
      throw new SetupError(
        `Expected ${name}_${allowed[name]} or older symbols in ${file} but it needs ${name}_${needed[name]}.`,
        ['Build in the container of scripts/release/Containerfile.']
      )
  return needed
}
