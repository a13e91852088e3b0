import { expect, test } from 'vitest'
import type { Pipeline } from '../../../lib/index.js'
import { createServer } from '../../../lib/server/index.js'
import { smallModel } from '../../support/small-model.js'
import { withListening } from './support/listening.js'

// The real engine: that a model makes pictures is what readiness is to mean.

test('a server is ready once its engine has made a whole picture, and not before', async () => {
  const app = await createServer({ models: { small: smallModel }, pipeline: { threads: 1 } })
  const readiness = async () => (await app.inject({ url: '/readyz' })).statusCode
  expect(await readiness()).toBe(503)
  await app.close()
  await withListening({}, async server => {
    const pipeline = (await server.app.wuerstchen.models.slot('small').peek()) as unknown as Pipeline
    const { completed, stages } = pipeline.stats()
    expect(completed).toBe(1)
    for (const stage of ['prior', 'decoder', 'vqDecoder'])
      expect([stage, stages[stage]?.runs]).toEqual([stage, expect.any(Number)])
    expect(stages['vqDecoder']!.runs).toBe(1)
    expect((await server.app.inject({ url: '/readyz' })).statusCode).toBe(200)
  })
})
