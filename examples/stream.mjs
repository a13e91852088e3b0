// Prints steps and writes images as soon as they are there. The work is cancelled after a minute.
import { Pipeline } from 'wuerstchen'

const pipeline = await Pipeline.load()
const signal = AbortSignal.timeout(60_000)
try {
  for await (const event of pipeline.stream({ prompt: ['a cat', 'a dog'], seed: 7, signal })) {
    if (event.type === 'step') console.log(`image ${event.image}: ${event.stage} ${event.step}/${event.steps}`)
    if (event.type === 'image') await event.image.toFile(`stream-${event.index}.webp`)
    if (event.type === 'done') console.log(`all ${event.images.length} in ${Math.round(event.timings.total)} ms`)
  }
} catch (error) {
  if (error !== signal.reason) throw error
  console.log('It took longer than a minute.')
} finally {
  await pipeline.dispose()
}
