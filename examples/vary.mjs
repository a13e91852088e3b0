// Makes images near an image: node examples/vary.mjs [photo.jpg]. Without a file, it draws one first.
import { Pipeline } from 'wuerstchen'

const [file] = process.argv.slice(2)

const pipeline = await Pipeline.load()
const image = file ?? (await pipeline.generate({ prompt: 'a cat on a blue background', seed: 1 })).images

// First the reconstruction, then variations that are further and further away. Strength 0 would be the reconstruction again.
const { images: reconstructions } = await pipeline.reconstruct(image, { seed: 1 })
await reconstructions[0]?.toFile('reconstruction.png')
for (const strength of [0.25, 0.5, 0.75]) {
  const { images } = await pipeline.vary(image, { strength, seed: 1 })
  await images[0]?.toFile(`variation-${strength}.png`)
}
console.log(`reconstruction.png and three variations, ${reconstructions[0]?.width}×${reconstructions[0]?.height}`)
await pipeline.dispose()
