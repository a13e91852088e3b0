import { join } from 'node:path'
import { packageRoot as root } from '../../lib/install/root.mjs'

export { venvPython } from '../../lib/install/libtorch.mjs'
export { root }

export const venv = join(root, '.venv')
export const requirements = join(root, 'scripts', 'requirements.txt')
export const testRequirements = join(root, 'scripts', 'requirements-test.txt')
