// Uses OpenAI's own client with this package's server: images, a stream with previews, and an edit.
import { writeFile } from 'node:fs/promises'
import OpenAI, { toFile } from 'openai'
import { startServer } from 'wuerstchen/server'

const server = await startServer({}, { host: '127.0.0.1', port: 0 })
// Without API keys, a server serves only its own machine, and accepts any key.
const client = new OpenAI({ baseURL: `${server.listeningOrigin}/v1`, apiKey: 'none' })

/** @param {OpenAI.ImagesResponse} response */
const firstImage = ({ data }) => Buffer.from(data?.[0]?.b64_json ?? '', 'base64')

// The client sends fields that OpenAI's types do not know as they are.
const made = await client.images.generate({ prompt: 'a sailboat on a blue background', n: 2, size: '256x256', ...{ seed: 7 } })
const sailboat = firstImage(made)
await writeFile('openai-sailboat.png', sailboat)
console.log(`openai-sailboat.png and ${(made.data?.length ?? 0) - 1} more`)

for await (const event of await client.images.generate({ prompt: 'a green tree', stream: true, partial_images: 2 }))
  console.log(event.type)

const edited = await client.images.edit({
  image: await toFile(sailboat, 'sailboat.png', { type: 'image/png' }),
  prompt: 'a green sailboat',
  ...{ strength: 0.6 }
})
await writeFile('openai-blue-sailboat.png', firstImage(edited))
console.log('openai-blue-sailboat.png')
await server.close()
