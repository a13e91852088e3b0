import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, Pipeline, Tensor } from '../../lib/index.js'
import { relativeDifference } from '../parity/reference.js'
import { QUICK, smallModel } from '../support/small-model.js'

/**
 * A half type has 8 or 11 bits of precision, and a stage adds the rounding of some twenty layers up. Streams differ between
 * dtypes, as in the reference, which draws in the model's dtype; so start noise is given, and one step adds none.
 * Embeddings relative to the largest (measured: 0.072 and 0.0061, eight times apart like the types' precision); mean of the
 * pixels in steps of 1/255 (measured in float16: 0.05).
 */
const TOLERANCE = { bfloat16: { embeddings: 0.15, pixels: 2 }, float16: { embeddings: 0.02, pixels: 0.25 } }

let reference: Pipeline
let start: Tensor
let noise: Tensor
beforeAll(async () => {
  reference = await Pipeline.load(smallModel, { threads: 1 })
  start = Tensor.from(pseudoNormal(16 * 9), [1, 16, 3, 3])
  noise = Tensor.from(pseudoNormal(4 * 32 * 32), [1, 4, 32, 32])
})
afterAll(() => reference.dispose())

/** Numbers that look like normal ones, the same everywhere: sums of twelve uniform ones. */
function pseudoNormal(count: number): Float32Array {
  let state = 1
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647
  return Float32Array.from({ length: count }, () => Array.from({ length: 12 }, uniform).reduce((sum, value) => sum + value, -6))
}

describe.each(['bfloat16', 'float16'] as const)('%s on the CPU', dtype => {
  test('stays close to float32 in both halves', async () => {
    await using half = await Pipeline.load(smallModel, { threads: 1, dtype })
    expect(half.artefacts.map(artefact => artefact.dtype)).toEqual(new Array(half.artefacts.length).fill(dtype))

    const prior = { prompt: 'a photo of a cat', width: 128, height: 128, priorTimesteps: [0.5, 0], latents: start, seed: 1 }
    using expected = await reference.prior(prior)
    using actual = await half.prior(prior)
    expect(await relativeDifference(actual.tensor, expected.tensor)).toBeLessThan(TOLERANCE[dtype].embeddings)

    using same = Embeddings.from(await expected.tensor.to('float32'))
    const decoder = { prompt: 'a photo of a cat', decoderTimesteps: [0.5, 0], latents: noise, seed: 1 }
    const [a, b] = [await half.decode(same, decoder), await reference.decode(same, decoder)]
    expect(a.images[0]!.parameters.dtype).toBe(dtype)
    expect(meanDifference(a.images[0]!.data, b.images[0]!.data)).toBeLessThan(TOLERANCE[dtype].pixels)
  })

  test('makes the same picture twice, and remembers its dtype', async () => {
    await using half = await Pipeline.load(smallModel, { threads: 1, dtype })
    const [first, second] = [await half.generate({ ...QUICK, seed: 3 }), await half.generate({ ...QUICK, seed: 3 })]
    expect(second.images[0]!.data).toEqual(first.images[0]!.data)
    expect(first.images[0]!.parameters.dtype).toBe(dtype)
  })
})

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, index) => sum + Math.abs(value - b[index]!), 0) / a.length
}
