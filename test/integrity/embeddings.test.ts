import { expect, test } from 'vitest'
import { Embeddings } from '../../lib/index.js'
import { withPipeline } from '../support/small-model.js'

/** The most that a prior can give away: start noise, then a draw a step and one a step for a mask, of (16, 3, 3) each. */
const MOST = (1 + 2 * 1000) * 16 * 3 * 3

/** The bytes of a file of embeddings, with another random offset in its metadata. */
function withOffset(file: Buffer, randomOffset: number): Buffer {
  const length = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as { __metadata__: { wuerstchen: string } }
  const origins = JSON.parse(header.__metadata__.wuerstchen) as { randomOffset: number }[]
  header.__metadata__.wuerstchen = JSON.stringify(origins.map(origin => ({ ...origin, randomOffset })))
  const text = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([size, text, file.subarray(8 + length)])
}

const prior = { prompt: 'a', width: 128, height: 128, priorSteps: 1, seed: 1 }

test('a file cannot have the engine draw more random numbers than any prior gives away', () =>
  withPipeline(async pipeline => {
    using embeddings = await pipeline.prior(prior)
    const file = await embeddings.toBuffer()
    for (const offset of [MOST + 1, Number.MAX_SAFE_INTEGER])
      await expect(Embeddings.load(withOffset(file, offset))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'file' })
    using last = await Embeddings.load(withOffset(file, MOST))
    expect((await pipeline.decode(last, { decoderSteps: 1 })).images).toHaveLength(1)
  }))

test('and neither can embeddings that come from no file', () =>
  withPipeline(async pipeline => {
    using embeddings = await pipeline.prior(prior)
    const hostile = new Embeddings(embeddings.tensor, [MOST + 1], embeddings.origins)
    await expect(pipeline.decode(hostile, { decoderSteps: 1 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'embeddings.randomOffsets[0]'
    })
    // Seeds give the decoder fresh streams, so the offset does not count.
    expect((await pipeline.decode(hostile, { decoderSteps: 1, seed: 1 })).images).toHaveLength(1)
  }))
