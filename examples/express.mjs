// The server as a part of an Express application (npm install express fastify), below a path.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import express from 'express'
import Fastify from 'fastify'
import { serverPlugin } from 'wuerstchen/server'

const images = Fastify({ pluginTimeout: 0 }) // it never listens: Express hands requests over to it
images.register(serverPlugin, { prefix: '/images' })
await images.ready()

const app = express()
// Before express.json() and its like: the server reads bodies itself.
app.use('/images', (request, response) => {
  request.url = request.originalUrl // Express cuts the path off
  images.routing(request, response)
})
app.get('/', (_, response) => void response.send('the application'))

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`

// The first question is what has the model loaded.
while (!(await fetch(`${address}/images/readyz`)).ok) await new Promise(resolve => void setTimeout(resolve, 100))
const reply = await fetch(`${address}/images/v1/images/generations`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'image/png' },
  body: JSON.stringify({ prompt: 'a sailboat on a blue background', seed: 7 })
})
await writeFile('express-sailboat.png', Buffer.from(await reply.arrayBuffer()))
console.log(`express-sailboat.png, seed ${reply.headers.get('x-wuerstchen-seed')}`)
await new Promise(resolve => server.close(resolve))
await images.close() // lets running work end
