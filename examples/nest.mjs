// The server as a part of a NestJS application (npm install @nestjs/core @nestjs/common @nestjs/platform-fastify), below a path.
// With platform-express it is as in express.mjs: app.use('/images', …) before the application is initialised.
import 'reflect-metadata'
import { writeFile } from 'node:fs/promises'
import { Controller, Get, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { serverPlugin } from 'wuerstchen/server'

// What decorators do in TypeScript.
class AppController {
  root() {
    return 'the application'
  }
}
Controller()(AppController)
Get()(
  AppController.prototype,
  'root',
  /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(AppController.prototype, 'root'))
)
class AppModule {}
Module({ controllers: [AppController] })(AppModule)

const adapter = new FastifyAdapter({ pluginTimeout: 0 })
const app = await NestFactory.create(AppModule, adapter, { logger: ['error'] })
await adapter.getInstance().register(serverPlugin, { prefix: '/images' })
await app.listen(0, '127.0.0.1')
const address = await app.getUrl()

console.log(await (await fetch(address)).text())
const reply = await fetch(`${address}/images/v1/images/generations`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'image/png' },
  body: JSON.stringify({ prompt: 'a sailboat on a blue background', seed: 7 })
})
await writeFile('nest-sailboat.png', Buffer.from(await reply.arrayBuffer()))
console.log(`nest-sailboat.png, seed ${reply.headers.get('x-wuerstchen-seed')}`)
await app.close()
