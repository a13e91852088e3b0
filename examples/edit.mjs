// Draws another object on the same background: node examples/edit.mjs [photo.jpg] ["a dog on a blue background"]
import { Pipeline } from 'wuerstchen'

const [file, prompt = 'a dog on a blue background'] = process.argv.slice(2)

const pipeline = await Pipeline.load()
const image = file ?? (await pipeline.generate({ prompt: 'a cat on a blue background', seed: 1 })).images
const { images } = await pipeline.edit(image, { prompt, strength: 0.7, seed: 2, n: 2 })
for (const [index, picture] of images.entries()) await picture.toFile(`edit-${index + 1}.png`)
console.log(`edit-1.png and edit-2.png, with strength ${images[0]?.parameters.input?.strength}`)
await pipeline.dispose()
