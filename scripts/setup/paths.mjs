import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's own folder: a clone of the repository, or `node_modules/wuerstchen`. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export const venv = join(root, '.venv')
export const venvPython = join(venv, 'bin', 'python')
export const requirements = join(root, 'scripts', 'requirements.txt')
export const testRequirements = join(root, 'scripts', 'requirements-test.txt')
