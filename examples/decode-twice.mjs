// Two images from one run of the prior: it runs once, and the decoder runs twice. The embeddings could also be cached or sent
// elsewhere.
import { Embeddings, Pipeline } from 'wuerstchen'

const pipeline = await Pipeline.load()
const embeddings = await pipeline.prior({ prompt: 'a sailboat', seed: 3 })
await embeddings.toFile('sailboat.safetensors')

const saved = await Embeddings.load('sailboat.safetensors')
const first = await pipeline.decode(saved) // the image that generate() would have made
const second = await pipeline.decode(saved, { seed: 4, decoderSteps: 6 })
await first.images[0]?.toFile('sailboat-1.png')
await second.images[0]?.toFile('sailboat-2.png')
console.log(`decoded ${saved.length} embedding of shape ${saved.tensor.shape.join('×')} twice`)

embeddings.dispose()
saved.dispose()
await pipeline.dispose()
