import { join } from 'node:path'
import { expect, test } from 'vitest'
import { drainOnce, isClean } from '../../../bench/serve-drain.mjs'
import { root } from '../../../scripts/setup/paths.mjs'

const smallModel = process.env.WUERSTCHEN_TEST_MODEL ?? join(root, 'build', 'small-model')

// bench/serve-drain.mjs makes twenty of them.
test.each([1, 2])(
  'SIGTERM: pictures under way are finished, waiting requests are told to come back, and the process ends with 0 (run %i)',
  async () => {
    const outcome = await drainOnce(smallModel)
    expect(isClean(outcome), JSON.stringify(outcome)).toBe(true)
  },
  180_000
)

test('a second SIGTERM ends it at once', async () => {
  expect(await drainOnce(smallModel, { force: true })).toMatchObject({ code: 130 })
}, 180_000)
