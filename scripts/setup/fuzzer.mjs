import { join } from 'node:path'
import { root } from './paths.mjs'
import { provideVenv } from './venv.mjs'

/** Schemathesis has its own environment, because its dependencies must not affect the exporter's packages. */
export const fuzzVenv = join(root, 'build', 'fuzz-venv')

/**
 * Installs the packages that scripts/requirements-fuzz.txt pins.
 * @param {string} python the interpreter that makes it
 */
export function provideFuzzer(python) {
  provideVenv(python, fuzzVenv, join(root, 'scripts', 'requirements-fuzz.txt'))
}
