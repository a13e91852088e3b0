import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Embeddings, Pipeline, Tensor, type GeneratedImage } from '../../lib/index.js'
import { readSafetensors } from '../../lib/values/safetensors.js'
import { runPython } from '../support/python.js'
import { relativeDifference } from './reference.js'

/**
 * The dummies of diffusers' own tests (scripts/checks/parity/dummies.py), in Node. Published values: tests/pipelines/wuerstchen/
 * of huggingface/diffusers, test_wuerstchen_combined.py and test_wuerstchen_decoder.py in their last versions, with the tolerance
 * that they have there. That of test_wuerstchen_prior.py depends on a tokenizer that cannot be had here.
 */
const PUBLISHED = {
  combined: [0.7616304, 0.0, 1.0, 0.0, 1.0, 0.0, 0.05925313, 0.0, 0.951898],
  decoder: [0.0, 0.0, 0.0089, 1.0, 1.0, 0.3927, 1.0, 1.0, 1.0]
}
const PUBLISHED_TOLERANCE = 1e-2
/** Half a step of 8 bits, and 1/255 for values that were about to round the other way. */
const LIVE_TOLERANCE = 1.5 / 255
/** Relative to the largest. Torch's initial weights enlarge rounding errors a hundredfold. */
const EMBEDDINGS = 1e-4

let folder: string
let live: Readonly<Record<string, Tensor>>
const SEED = { seed: 0 }
const COMBINED = { prompt: 'horse', ...SEED, width: 128, height: 128, priorSteps: 2, decoderSteps: 2, priorGuidanceScale: 4 }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-dummies-'))
  await runPython(['-m', 'checks.parity.dummies', '--out', folder])
  live = (await readSafetensors(join(folder, 'expected.safetensors'), ['combined', 'decoder', 'prior', 'prior 1024'])).tensors
}, 900_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the combined test gives the published values and those of live diffusers', async () => {
  await using pipeline = await Pipeline.load(join(folder, 'combined'), { threads: 1 })
  const options = { ...COMBINED, decoderGuidanceScale: 4 }
  const { images } = await pipeline.generate(options)
  await expectImage(images[0]!, 'combined')

  const { decoderSteps, decoderGuidanceScale, ...prior } = options
  using embeddings = await pipeline.prior(prior)
  expect(await relativeDifference(embeddings.tensor, live['prior']!)).toBeLessThan(EMBEDDINGS)
  // The prior draws 18 normals at a time here, which torch does not do in whole blocks of 16.
  const decoded = await pipeline.decode(embeddings, { decoderSteps, decoderGuidanceScale })
  expect(decoded.images[0]!.data).toEqual(images[0]!.data)
})

test("the prior's test gives the values of live diffusers", async () => {
  await using pipeline = await Pipeline.load(join(folder, 'combined'), { threads: 1 })
  using embeddings = await pipeline.prior({
    prompt: 'horse',
    ...SEED,
    width: 1024,
    height: 1024,
    priorSteps: 2,
    priorGuidanceScale: 4
  })
  expect(embeddings.tensor.shape).toEqual([1, 2, 24, 24])
  expect(await relativeDifference(embeddings.tensor, live['prior 1024']!)).toBeLessThan(EMBEDDINGS)
})

test("the decoder's test gives the published values and those of live diffusers", async () => {
  await using pipeline = await Pipeline.load(join(folder, 'decoder'), { threads: 1 })
  using ones = Tensor.from(new Float32Array(64).fill(1), [1, 4, 4, 4])
  const options = { prompt: 'horse', ...SEED, decoderSteps: 2, decoderGuidanceScale: 1 }
  const { images } = await pipeline.decode(Embeddings.from(ones), options)
  expect([images[0]!.width, images[0]!.height]).toEqual([64, 64])
  await expectImage(images[0]!, 'decoder')
})

async function expectImage({ width, height, data }: GeneratedImage, name: 'combined' | 'decoder'): Promise<void> {
  const values = Array.from(data, value => value / 255)
  const expected = (await live[name]!.data()) as Float32Array
  const off = Array.from(expected, (value, index) => Math.abs(value - values[index]!))
  expect(values.length).toBe(expected.length)
  expect(off.reduce((most, difference) => Math.max(most, difference), 0)).toBeLessThan(LIVE_TOLERANCE)
  // The last three rows and columns of blue.
  const corner = [3, 2, 1].flatMap(row => [3, 2, 1].map(column => values[((height - row) * width + width - column) * 3 + 2]!))
  for (const [index, value] of corner.entries())
    expect(Math.abs(value - PUBLISHED[name][index]!)).toBeLessThan(PUBLISHED_TOLERANCE)
}
