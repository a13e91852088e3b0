import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError } from './error.mjs'
import { outdated } from './npm.mjs'
import { root } from './paths.mjs'
import { run, say } from './run.mjs'
import { provideVenv, venvIsThere } from './venv.mjs'

/** What test/clients pins: clients of others that the server is tested with. Their folders are apart, for they are large. */
const pinned = join(root, 'test', 'clients')
export const npmClients = join(root, 'build', 'clients')
export const pythonClients = join(root, 'build', 'clients-venv')
const requirements = join(pinned, 'requirements.txt')

/**
 * Installs the clients. Where they cannot be had, their tests are left out by name.
 * @param {string} python the interpreter that makes their environment
 */
export function provideClients(python) {
  try {
    provideNpm()
    provideVenv(python, pythonClients, requirements)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    say(`the clients of test/clients are not there: ${error.message}`)
  }
}

/** @returns {boolean} whether all of them are installed */
export function clientsAreThere() {
  return npmIsThere() && venvIsThere(pythonClients, requirements)
}

function npmIsThere() {
  const installed = join(npmClients, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return false
  const read = (/** @type {string} */ file) => JSON.parse(readFileSync(file, 'utf8'))
  return outdated(read(join(pinned, 'package-lock.json')), read(installed)).length === 0
}

function provideNpm() {
  if (npmIsThere()) return
  say('npm ci of test/clients into build/clients')
  mkdirSync(npmClients, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(pinned, file), join(npmClients, file))
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: npmClients })
}
