import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Stage, type Tensor } from '../../lib/index.js'
import { compiledModel, smallModel } from '../support/small-model.js'
import { relativeDifference, values } from './reference.js'

/** Relative to the largest value; float32 on both sides. Measured: 3.2e-7 at most. */
const TOLERANCE = 1e-4

async function withStage(
  name: string,
  body: (stage: Stage) => Promise<void>,
  dtype = 'float32',
  kind: 'torchscript' | 'aoti' = 'torchscript'
): Promise<void> {
  const model = kind === 'aoti' ? compiledModel : smallModel
  await using stage = await Stage.load(join(model, `${name}.${dtype}.cpu.pt`), { threads: 1, kind })
  await body(stage)
}

describe('each stage by itself gives what diffusers gives', () => {
  test.each(['priorTextEncoder', 'decoderTextEncoder'] as const)('%s', async name => {
    const expected = await values(`${name}/ids`, `${name}/mask`, `${name}/embeddings`)
    await withStage(name, async stage => {
      const [embeddings] = await stage.run([expected[`${name}/ids`], expected[`${name}/mask`]])
      expect(await relativeDifference(embeddings!, expected[`${name}/embeddings`])).toBeLessThan(TOLERANCE)
    })
  })

  test.each(['torchscript', 'aoti'] as const)('prior as %s', async kind => {
    const expected = await values('prior/latents', 'prior/ratio', 'prior/text', 'prior/noise')
    await withStage(
      'prior',
      async stage => {
        const [kv] = await stage.run({ text: expected['prior/text'] }, 'condition')
        const [noise] = await stage.run([expected['prior/latents'], expected['prior/ratio'], kv!], 'step')
        expect(await relativeDifference(noise!, expected['prior/noise'])).toBeLessThan(TOLERANCE)
      },
      'float32',
      kind
    )
  })

  test.each(['torchscript', 'aoti'] as const)('decoder as %s', async kind => {
    const expected = await values('decoder/latents', 'decoder/ratio', 'decoder/embeddings', 'decoder/text', 'decoder/noise')
    const { 'decoder/latents': latents, 'decoder/embeddings': embeddings, 'decoder/text': text } = expected
    await withStage(
      'decoder',
      async stage => {
        const condition = await stage.run({ latents, embeddings, text }, 'condition')
        const [noise] = await stage.run([latents, expected['decoder/ratio'], ...condition], 'step')
        expect(await relativeDifference(noise!, expected['decoder/noise'])).toBeLessThan(TOLERANCE)
      },
      'float32',
      kind
    )
  })

  test.each([
    ['vqDecoder', 'latents', 'pixels'],
    ['vqEncoder', 'pixels', 'latents']
  ] as const)('%s', async (name, input, output) => {
    const expected: Record<string, Tensor> = await values(`${name}/${input}`, `${name}/${output}`)
    await withStage(name, async stage => {
      const [result] = await stage.run([expected[`${name}/${input}`]!])
      expect(await relativeDifference(result!, expected[`${name}/${output}`]!)).toBeLessThan(TOLERANCE)
    })
  })
})

/**
 * Relative to the largest value: a half type has 8 or 11 bits, and some twenty layers add their rounding up. Measured: 0.0072
 * and 0.00088.
 */
const HALF = { bfloat16: 0.02, float16: 0.0025 } as const

describe.each(['bfloat16', 'float16'] as const)('in %s a stage stays close to float32', dtype => {
  test('prior', async () => {
    const expected = await values('prior/latents', 'prior/ratio', 'prior/text', 'prior/noise')
    await withStage(
      'prior',
      async stage => {
        const [kv] = await stage.run([await expected['prior/text'].to(dtype)], 'condition')
        const [noise] = await stage.run([await expected['prior/latents'].to(dtype), expected['prior/ratio'], kv!], 'step')
        expect(noise!.dtype).toBe('float32') // float16 does not hold all of it
        expect(await relativeDifference(await noise!.to('float32'), expected['prior/noise'])).toBeLessThan(HALF[dtype])
      },
      dtype
    )
  })

  test('vqDecoder', async () => {
    const expected = await values('vqDecoder/latents', 'vqDecoder/pixels')
    await withStage(
      'vqDecoder',
      async stage => {
        const [pixels] = await stage.run([await expected['vqDecoder/latents'].to(dtype)])
        expect(await relativeDifference(await pixels!.to('float32'), expected['vqDecoder/pixels'])).toBeLessThan(HALF[dtype])
      },
      dtype
    )
  })
})
