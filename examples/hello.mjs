// Makes an image from a prompt. Run it from the repository: node examples/hello.mjs "a red sailboat"
import { Pipeline } from 'wuerstchen'

const [prompt = 'a sailboat on a blue background'] = process.argv.slice(2)

const pipeline = await Pipeline.load()
const { images, timings } = await pipeline.generate({ prompt, seed: 1 })
for (const image of images) {
  await image.toFile('hello.png')
  console.log(`hello.png, seed ${image.seed}, ${(timings.total / 1000).toFixed(1)} s`)
}
await pipeline.dispose()
