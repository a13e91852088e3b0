import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Embeddings, Pipeline, type GeneratedImage } from '../../lib/index.js'
import { root } from '../support/small-model.js'

/**
 * What modification does to pictures, on the packaged model. Judged without a classifier: by distances between pictures and
 * between embeddings. `scripts/checks/modify_score.py` names the objects too.
 */

const OBJECTS = ['cat', 'dog', 'banana', 'car', 'rocket', 'panda', 'frog', 'sunflower', 'house', 'penguin']
const COLORS = ['red', 'blue', 'green', 'yellow']
const COUNT = 20
/** A third of the usual steps and half of the usual sides: pictures are a little coarser, and the tests many times as fast. */
const FEW = { priorSteps: 12, decoderSteps: 6 }
const SMALL = { ...FEW, width: 128, height: 128 }
const SEEDS = { seeds: Array.from({ length: COUNT }, (_, index) => 100 + index) }

const prompts = Array.from(
  { length: COUNT },
  (_, index) => `a ${OBJECTS[index % 10]} on a ${COLORS[(index + Math.floor(index / 10)) % 4]} background`
)
const asked = Array.from(
  { length: COUNT },
  (_, index) => `a ${OBJECTS[(index + 3) % 10]} on a ${COLORS[(index + Math.floor(index / 10)) % 4]} background`
)

/** Root mean square of the differences. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < a.length; index++) sum += (a[index]! - b[index]!) ** 2
  return Math.sqrt(sum / a.length)
}
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const share = (values: readonly boolean[]) => mean(values.map(Number))

let pipeline: Pipeline
let originals: GeneratedImage[]
beforeAll(async () => {
  pipeline = await Pipeline.load(join(root, 'models', 'tiny'))
  originals = (await pipeline.generate({ prompt: prompts, seed: 1, ...SMALL })).images
}, 300_000)
afterAll(() => pipeline.dispose())

const distances = (images: readonly GeneratedImage[]) =>
  images.map((image, index) => distance(image.data, originals[index]!.data))

test('pictures move away from the original with strength', async () => {
  const means = []
  for (const strength of [0, 0.25, 0.5, 0.75, 1])
    means.push(mean(distances((await pipeline.vary(originals, { ...FEW, ...SEEDS, strength })).images)))
  expect(means).toEqual([...means].sort((a, b) => a - b))
  // Measured: 12 at strength 0, 112 at 1.
  expect(means.at(-1)! / means[0]!).toBeGreaterThan(4)
}, 300_000)

test('a reconstruction with its caption is the nearest of all originals, on its background', async () => {
  const { images } = await pipeline.reconstruct(originals, { ...SEEDS, prompt: prompts, decoderSteps: FEW.decoderSteps })
  const nearest = images.map((image, index) =>
    originals.every(other => distance(image.data, originals[index]!.data) <= distance(image.data, other.data))
  )
  expect(share(nearest)).toBeGreaterThanOrEqual(0.9)
  const corner = ({ data }: GeneratedImage) => data.subarray(0, 3)
  // Colours of the catalogue are more than 60 apart.
  expect(share(images.map((image, index) => distance(corner(image), corner(originals[index]!)) < 30))).toBeGreaterThanOrEqual(0.9)
}, 300_000)

test('an edit leads to what was asked, in at least 80 % of the pictures', async () => {
  const { images } = await pipeline.edit(originals, { ...FEW, ...SEEDS, prompt: asked, strength: 0.8 })
  const wanted = (await pipeline.generate({ prompt: asked, seed: 500, ...SMALL })).images
  const embeddings = await Promise.all(
    [images, wanted, originals].map(async pictures => {
      using value = await pipeline.encodeImage(pictures)
      const data = (await value.tensor.data()) as Float32Array
      const length = data.length / pictures.length
      return pictures.map((_, index) => data.subarray(index * length, (index + 1) * length))
    })
  )
  const [made, goal, before] = embeddings as [Float32Array[], Float32Array[], Float32Array[]]
  // Nearer to another picture of what was asked than to the picture it was made from. Measured: 100 %.
  expect(
    share(made.map((value, index) => distance(value, goal[index]!) < distance(value, before[index]!)))
  ).toBeGreaterThanOrEqual(0.8)
  // And none of this is so before the edit.
  expect(share(before.map((value, index) => distance(value, goal[index]!) < distance(value, before[index]!)))).toBe(0)
}, 300_000)

test('a mix goes in small steps from one picture to the other', async () => {
  for (const [from, to] of [
    [0, 1],
    [2, 7],
    [4, 13]
  ] as const) {
    using a = await pipeline.encodeImage(originals[from]!)
    using b = await pipeline.encodeImage(originals[to]!)
    using path = await Embeddings.interpolate(a, b, 9)
    const { images: frames } = await pipeline.decode(path, {
      decoderSteps: FEW.decoderSteps,
      seeds: new Array<number>(9).fill(5)
    })
    const [first] = (await pipeline.decode(a, { decoderSteps: FEW.decoderSteps, seed: 5 })).images
    expect(distance(frames[0]!.data, first!.data)).toBeLessThanOrEqual(1)
    const steps = frames.slice(1).map((frame, index) => distance(frame.data, frames[index]!.data))
    const ends = distance(frames[0]!.data, frames[8]!.data)
    // A jump would be all of it at once; measured: 0.6 at most.
    expect(Math.max(...steps)).toBeLessThan(0.75 * ends)
    expect(distance(frames[4]!.data, frames[0]!.data)).toBeGreaterThan(0.1 * ends)
    expect(distance(frames[4]!.data, frames[8]!.data)).toBeGreaterThan(0.1 * ends)
  }
}, 300_000)
