// Requests that overlap share batches, even if their prompts, seeds and steps differ. stats() shows it.
import { Pipeline } from 'wuerstchen'

const pipeline = await Pipeline.load(undefined, { maxBatch: 4 })
const requests = ['a tree', 'a boat', 'a bird', 'a cup'].map((prompt, index) =>
  pipeline.generate({ prompt, seed: index, priorSteps: 8 + 2 * index })
)
const results = await Promise.all(requests)
for (const [index, { images }] of results.entries()) await images[0]?.toFile(`concurrent-${index}.png`)

const { batchSizes, stages } = pipeline.stats()
console.log('denoising runs by images in them:', batchSizes)
console.log('milliseconds:', Object.fromEntries(Object.entries(stages).map(([stage, { ms }]) => [stage, Math.round(ms)])))
await pipeline.dispose()
