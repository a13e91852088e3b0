// The server as a part of a Fastify application, below a path, behind the application's own sign-in.
import { writeFile } from 'node:fs/promises'
import Fastify from 'fastify'
import { serverPlugin } from 'wuerstchen/server'

const app = Fastify({ pluginTimeout: 0 }) // running images may take longer to end than 10 s
app.get('/', async () => 'the application')
await app.register(async part => {
  // Hooks of the application run before every request to the server.
  part.addHook('onRequest', async (request, reply) => {
    if (request.headers['x-user'] !== 'ann') await reply.code(401).send('Sign in first')
  })
  await part.register(serverPlugin, { prefix: '/images', limits: { maxImages: 4 } })
})
const address = await app.listen({ host: '127.0.0.1', port: 0 })

const ask = (/** @type {Record<string, string>} */ headers) =>
  fetch(`${address}/images/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'image/png', ...headers },
    body: JSON.stringify({ prompt: 'a sailboat on a blue background', seed: 7 })
  })
console.log(`without a user: ${(await ask({})).status}`)
await writeFile('fastify-sailboat.png', Buffer.from(await (await ask({ 'x-user': 'ann' })).arrayBuffer()))
console.log('fastify-sailboat.png')
await app.close()
