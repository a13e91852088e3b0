// Goes from one image to another in five steps. Embeddings are values that can be saved, mixed and decoded.
import { Embeddings, Pipeline } from 'wuerstchen'

const pipeline = await Pipeline.load()
const {
  images: [banana, car]
} = await pipeline.generate({ prompt: ['a banana on a red background', 'a car on a green background'], seed: 1 })
if (banana === undefined || car === undefined) throw new Error('Expected two images')
const from = await pipeline.encodeImage(banana)
const to = await pipeline.encodeImage(car)
await from.toFile('banana.safetensors', { dtype: 'float16' })

const path = await Embeddings.interpolate(from, to, 5)
const frames = await pipeline.decode(path, { seeds: [1, 1, 1, 1, 1] }) // the same noise in each, so that only the mix changes
for (const [index, frame] of frames.images.entries()) await frame.toFile(`frame-${index + 1}.png`)

const middle = await Embeddings.mix([from, to], [1, 1])
console.log(`five frames; the middle one is made of ${middle.origins[0]?.mixedFrom?.length} images`)
for (const embeddings of [from, to, path, middle]) embeddings.dispose()
await pipeline.dispose()
