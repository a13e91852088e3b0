import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const venv = join(root, '.venv', 'bin', 'python')
/** The Python that has torch and diffusers. */
export const python = process.env.PYTHON ?? (existsSync(venv) ? venv : 'python3')
