import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Pipeline, Tensor } from '../../lib/index.js'
import { encodeSources } from '../../lib/pipeline/encode.js'
import { captureImages, readSources } from '../../lib/image/sources.js'
import { modificationOf, planFromImages, type ModifyCall } from '../../lib/plan/modification.js'
import { loadAddon } from '../../lib/load/addon.js'
import { readModel } from '../../lib/model/directory.js'
import { surroundingsOf } from '../../lib/pipeline/describe.js'
import { loadOptions } from '../../lib/engine/load-options.js'
import { createEngines } from '../../lib/engine/placement.js'
import { runPlan, type Resources } from '../../lib/pipeline/run.js'
import { readTokenizers } from '../../lib/pipeline/texts.js'
import { readSafetensors } from '../../lib/values/safetensors.js'
import { root, smallModel } from '../support/small-model.js'
import { largest, relativeDifference } from './reference.js'

/** Embeddings relative to the largest, float32 on both sides; pixels in steps of 1/255. */
const [EMBEDDINGS, PIXELS] = [1e-4, 1]
/** Of the encoder's input, which is of size 1. */
const PREPROCESSED = 1e-5

type Size = [number, number]
interface ModifyCase {
  call: ModifyCall
  image: Size
  mask?: [number, number, number, number]
  grey?: number
}
interface PreprocessCase {
  image: Size
  grid: Size
  fit: 'cover' | 'fill'
}

const directory = join(root, 'test', 'parity', 'modify')
const cases = JSON.parse(readFileSync(join(directory, 'cases.json'), 'utf8')) as {
  every: number
  modify: Record<string, ModifyCase>
  preprocess: Record<string, PreprocessCase>
  refine: { image: Size; strength: number; prompt: string; seed: number; decoderSteps: number }
}
const values = async <Name extends string>(...names: Name[]) =>
  (await readSafetensors(join(directory, 'values.safetensors'), names)).tensors as Record<Name, Tensor>

/** The picture of scripts/checks/parity/modify_reference.py. */
function picture([width, height]: Size) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, index) => {
    const [x, y, c] = [Math.floor(index / 3) % width, Math.floor(index / 3 / width), index % 3]
    return (x * (3 + 5 * c) + y * (7 + 2 * c) + Math.floor((x * y) / (9 + c))) % 256
  })
  return { width, height, data }
}

function maskOf({ image: [width, height], mask, grey = 255 }: ModifyCase) {
  const [left, top, right, bottom] = mask!
  const data = Uint8Array.from({ length: width * height }, (_, index) => {
    const [x, y] = [index % width, Math.floor(index / width)]
    return x >= left && x < right && y >= top && y < bottom ? grey : 0
  })
  return { width, height, data }
}

let resources: Resources
beforeAll(async () => {
  const options = loadOptions({ device: 'cpu', threads: 1 })
  const model = await readModel(smallModel)
  const engines = await createEngines(model, options)
  resources = {
    model,
    engines,
    tokenizers: await readTokenizers(model, true, undefined),
    surroundings: surroundingsOf(engines, '')
  }
})
afterAll(async () => {
  if (resources.engines.kind === 'whole') for (const engine of resources.engines.engines) await engine.dispose()
})

describe("what the encoder sees is torch's antialiased bilinear image", () => {
  test.each(Object.keys(cases.preprocess))('%s', async name => {
    const {
      image,
      grid: [gridHeight, gridWidth],
      fit
    } = cases.preprocess[name]!
    const expected = (await values(`${name}/preprocessed`))[`${name}/preprocessed`]!
    using actual = new Tensor(await loadAddon().preprocessImage(picture(image), { gridHeight, gridWidth, fit }))
    expect(actual.shape).toEqual([1, 3, 32 * gridHeight, 32 * gridWidth])
    const [data, [height, width]] = [(await actual.data()) as Float32Array, [32 * gridHeight, 32 * gridWidth]]
    const some = data.filter(
      (_, index) => (Math.floor(index / width) % height) % cases.every === 0 && (index % width) % cases.every === 0
    )
    expect(largest(some, (await expected.data()) as Float32Array)).toBeLessThan(PREPROCESSED)
  })
})

describe("image to image and inpainting equal the loops written from diffusers' scheduler", () => {
  test.each(Object.keys(cases.modify))('%s', async name => {
    const { call, image, grey: _, ...rest } = cases.modify[name]!
    const options = rest.mask === undefined ? rest : { ...rest, mask: maskOf(cases.modify[name]!) }
    const {
      model: { manifest },
      engines
    } = resources
    const modification = modificationOf(call, picture(image), options, manifest)
    const sources = await readSources(captureImages('image', picture(image)), modification.fit, manifest, undefined)
    using encoded = await encodeSources(sources, 1, manifest, engines, undefined)
    const plan = await planFromImages(modification, sources, encoded, manifest)
    const { result, images } = await runPlan(plan, resources)
    using embeddings = new Tensor(result.embeddings)
    const expected = await values(`${name}/encoded`, `${name}/embeddings`, `${name}/pixels`)
    expect(await relativeDifference(encoded, expected[`${name}/encoded`]!)).toBeLessThan(EMBEDDINGS)
    expect(await relativeDifference(embeddings, expected[`${name}/embeddings`]!)).toBeLessThan(EMBEDDINGS)
    expect(largest(images[0]!.data, (await expected[`${name}/pixels`]!.data()) as Uint8Array)).toBeLessThanOrEqual(PIXELS)
  })
})

test("Stage B from given latents equals its loop written from diffusers' scheduler", async () => {
  const { image, ...options } = cases.refine
  const expected = await values('refine/source', 'refine/pixels')
  await using pipeline = await Pipeline.load(smallModel, { threads: 1 })
  using latents = await pipeline.encodeLatents(picture(image))
  expect(await relativeDifference(latents, expected['refine/source'])).toBeLessThan(EMBEDDINGS)
  using embeddings = await pipeline.encodeImage(picture(image))
  const { images } = await pipeline.decode(embeddings, { ...options, latents })
  expect(largest(images[0]!.data, (await expected['refine/pixels'].data()) as Uint8Array)).toBeLessThanOrEqual(PIXELS)
})
