import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { missingPackages } from './python.mjs'
import { root } from './paths.mjs'
import { run, say } from './run.mjs'

/** Schemathesis has its own environment, because its dependencies must not affect the exporter's packages. */
export const fuzzVenv = join(root, 'build', 'fuzz-venv')

/**
 * Installs the packages that scripts/requirements-fuzz.txt pins.
 * @param {string} python the interpreter that makes it
 */
export function provideFuzzer(python) {
  const requirements = join(root, 'scripts', 'requirements-fuzz.txt')
  const own = join(fuzzVenv, 'bin', 'python')
  if (existsSync(own) && missingPackages(own, [requirements])?.length === 0) return
  say('pip install -r scripts/requirements-fuzz.txt into build/fuzz-venv')
  execFileSync(python, ['-m', 'venv', '--clear', fuzzVenv])
  run(own, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements])
}
