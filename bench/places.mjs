import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, venvPython } from '../scripts/setup/paths.mjs'

export { root }

/** Where Python finds the modules of scripts/. */
export const pythonPath = join(root, 'scripts')

/** The Python that has torch and diffusers. */
export const python = process.env.PYTHON ?? (existsSync(venvPython) ? venvPython : 'python3')
