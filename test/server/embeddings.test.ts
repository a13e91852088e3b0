import { expect, test } from 'vitest'
import { Embeddings, Tensor } from '../../lib/index.js'
import { json, withFakeServer } from './fake-backend.js'

/** A safetensors file with an embedding of 6 × 6 cells. */
async function fileOf(channels: number): Promise<string> {
  using embeddings = Embeddings.from(Tensor.from(new Float32Array(channels * 36), [1, channels, 6, 6]))
  return (await embeddings.toBuffer()).toString('base64')
}

test('embeddings of other channels than the model has are refused before they wait', () =>
  withFakeServer({}, async (app, backend) => {
    const reply = await app.inject({ url: '/v1/image-embeddings/decode', ...json({ embeddings: await fileOf(8) }) })
    expect([reply.statusCode, reply.json().error]).toMatchObject([400, { code: 'invalid_embeddings', param: 'embeddings' }])
    expect(backend.runs).toHaveLength(0)
  }))
