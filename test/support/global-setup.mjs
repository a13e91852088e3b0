import { provideLibtorch, providePython } from '../../scripts/setup/provide.mjs'
import { provideModels } from './models.mjs'

/** Makes the models that tests run on, before the first test file. */
export default async function setup() {
  const python = providePython(provideLibtorch(process.env))
  // Tests that run the reference need the same Python. Worker processes inherit this variable.
  process.env.WUERSTCHEN_TEST_PYTHON = python
  await provideModels(python)
}
