import { expect } from 'vitest'
import { Pipeline } from '../../lib/index.js'
import { fake } from './fake.js'

/** Expects that the model directory is refused before an engine is made. It is for test files that mock the addon with `fake`. */
export async function expectRefused(directory: string, code: string, message: RegExp): Promise<void> {
  const before = fake.engines.length
  await expect(Pipeline.load(directory)).rejects.toMatchObject({
    name: 'WuerstchenError',
    code,
    message: expect.stringMatching(message)
  })
  expect(fake.engines).toHaveLength(before)
}
