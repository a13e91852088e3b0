import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../../scripts/setup/paths.mjs'
import { provideLibtorch, providePython } from '../../scripts/setup/provide.mjs'

/** Makes the small random model before the first test file. It ends at once when the model is there already. */
export default function setup() {
  const python = providePython(provideLibtorch(process.env))
  // Tests that run the reference need the same Python; worker processes inherit this.
  process.env.WUERSTCHEN_TEST_PYTHON = python
  const make = (name, ...options) =>
    execFileSync(python, ['-m', 'models.small_model', '--out', join(root, 'build', name), ...options], {
      cwd: join(root, 'scripts'),
      stdio: ['ignore', 'ignore', 'inherit']
    })
  make('small-model', '--dtypes', 'float32', 'bfloat16', 'float16')
  make('compiled-model', '--dtypes', 'float32', '--compile')
}
