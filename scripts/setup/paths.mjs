import { join } from 'node:path'
import { packageRoot as root } from '../../lib/install/root.mjs'

export { venv, venvPython } from '../../lib/install/libtorch.mjs'
export { root }

export const requirements = join(root, 'scripts', 'requirements.txt')
export const testRequirements = join(root, 'scripts', 'requirements-test.txt')
