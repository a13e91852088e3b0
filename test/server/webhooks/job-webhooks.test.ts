import { createServer as serveHttp } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { JOB } from '../../../lib/server/api/jobs.js'
import { serverOptions, type ServerOptions } from '../../../lib/server/options.js'
import { json, until, withFakeServer } from '../fake-backend.js'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const BODY = { endpoint: '/v1/images/generations', body: { prompt: 'x' } }

/** A receiver on this machine, and the messages it got. */
async function withReceiver<T>(body: (url: string, options: ServerOptions, messages: Message[]) => Promise<T>): Promise<T> {
  const messages: Message[] = []
  const receiver = serveHttp((request, reply) => {
    let text = ''
    request
      .on('data', chunk => {
        text += String(chunk)
      })
      .on('end', () => {
        messages.push(JSON.parse(text) as Message)
        reply.end()
      })
  })
  await new Promise<void>(resolve => {
    receiver.listen(0, '127.0.0.1', resolve)
  })
  const place = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  try {
    return await body(`${place}/hook`, { webhookAllow: [place], webhookSecret: SECRET }, messages)
  } finally {
    receiver.close()
  }
}

interface Message {
  type: string
  data: object
}

test('a job that names an address tells it how it ended, and no other job does', () =>
  withReceiver((webhook_url, options, messages) =>
    withFakeServer(options, async (app, backend) => {
      const post = async (body: object) => (await app.inject({ url: '/v1/jobs', ...json(body) })).json<{ id: string }>().id
      await post(BODY)
      const ids = [await post({ ...BODY, webhook_url }), await post({ ...BODY, webhook_url })]
      await until(() => backend.runs.length === 3)
      for (const run of backend.runs.slice(0, 2)) run.finish()
      await app.inject({ url: `/v1/jobs/${ids[1]}`, method: 'DELETE' })
      await until(() => messages.length === 2)
      const told = Object.fromEntries(messages.map(({ type, data }) => [JOB.parse(data).id, type]))
      expect(told).toEqual({ [ids[0]!]: 'job.succeeded', [ids[1]!]: 'job.cancelled' })
      const job = (await app.inject({ url: `/v1/jobs/${ids[0]}` })).json()
      expect(messages.find(({ type }) => type === 'job.succeeded')!.data).toEqual(job)
    })
  ))

test('a job that the end of the server cuts short is told of, too', () =>
  withReceiver(async (webhook_url, options, messages) => {
    await withFakeServer(options, async (app, backend) => {
      await app.inject({ url: '/v1/jobs', ...json({ ...BODY, webhook_url }) })
      await until(() => backend.runs.length === 1)
    })
    expect(messages).toMatchObject([{ type: 'job.failed', data: { error: { code: 'shutting_down' } } }])
  }))

test.each([
  'https://example.com/',
  'http://127.0.0.1/',
  'http://127.0.0.1:1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://localhost/',
  'file:///etc/passwd',
  'x',
  ''
])('%j is refused before anything is done', webhook_url =>
  withReceiver((_, options) =>
    withFakeServer(options, async (app, backend) => {
      const reply = await app.inject({ url: '/v1/jobs', ...json({ ...BODY, webhook_url }) })
      expect([reply.statusCode, reply.json<{ error: { param: string } }>().error.param]).toEqual([400, 'webhook_url'])
      expect(backend.runs).toEqual([])
    })
  )
)

test('a server without a list of hosts sends nothing anywhere', () =>
  withFakeServer({}, async app => {
    const reply = await app.inject({ url: '/v1/jobs', ...json({ ...BODY, webhook_url: 'https://example.com/' }) })
    expect([reply.statusCode, reply.json<{ error: { param: string } }>().error.param]).toEqual([400, 'webhook_url'])
    expect((await app.inject({ url: '/v1/jobs', ...json({ ...BODY, webhook_url: null }) })).statusCode).toBe(202)
  }))

test('the options are checked when the server is made', () => {
  const refused = (options: object) => {
    try {
      serverOptions(options)
    } catch (error) {
      return (error as { subject: unknown }).subject
    }
    return undefined
  }
  expect(refused({ webhookAllow: ['example.com'] })).toBe('webhookSecret')
  expect(refused({ webhookAllow: ['example.com'], webhookSecret: 'short' })).toBe('webhookSecret')
  expect(refused({ webhookSecret: 'short' })).toBe('webhookSecret')
  expect(refused({ webhookAllow: 'example.com', webhookSecret: SECRET })).toBe('webhookAllow')
  expect(refused({ webhookAllow: ['a b'], webhookSecret: SECRET })).toBe('webhookAllow[0]')
  expect(refused({ webhookAllow: ['example.com'], webhookSecret: SECRET })).toBeUndefined()
  process.env['WUERSTCHEN_WEBHOOK_SECRET'] = SECRET
  try {
    expect(serverOptions({ webhookAllow: ['example.com'] }).webhooks?.keys).toEqual([Buffer.alloc(32, 1)])
  } finally {
    delete process.env['WUERSTCHEN_WEBHOOK_SECRET']
  }
})
