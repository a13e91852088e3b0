import { afterEach, beforeEach, expect, test } from 'vitest'
import { json } from '../fake-backend.js'
import { describeOnQueues } from '../../support/queues.js'
import { eventually, Fleet } from './fleet.js'

describeOnQueues('servers and workers on a queue', kind => {
  let fleet: Fleet
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
  })
  afterEach(() => fleet.end())

  const ask = (body: object = {}) => ({ url: '/v1/images/generations', ...json({ prompt: 'x', ...body }) })
  test('a picture is made by a worker, whose model the server knows', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const { data } = (await server.inject({ url: '/v1/models' })).json()
    expect(data).toMatchObject([{ id: 'tiny', state: 'ready', default_size: '256x256' }])
    const picture = server.inject(ask())
    await eventually(() => backend.runs.length === 1)
    backend.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 4 })
    backend.runs[0]!.finish()
    const { statusCode, body } = await picture
    expect([statusCode, body]).toEqual([200, expect.stringContaining(Buffer.from('picture 0').toString('base64'))])
    expect((await server.inject({ url: '/readyz' })).json()).toMatchObject({ status: 'ready', models: [{ id: 'tiny' }] })
  })

  test('without a worker requests are refused, and not for good', async () => {
    const server = await fleet.server()
    const refused = await server.inject(ask())
    expect([refused.statusCode, refused.headers['retry-after'], refused.json().error.code]).toEqual([503, '5', 'no_worker'])
    // A balancer that took all servers away would answer in their place.
    expect((await server.inject({ url: '/readyz' })).statusCode).toBe(200)
    const { backend, worker } = await fleet.worker()
    backend.automatic = true
    const state = async () => ((await server.inject({ url: '/v1/models/tiny' })).json() as { state?: string }).state
    await eventually(async () => (await state()) === 'ready')
    expect((await server.inject(ask())).statusCode).toBe(200)
    await worker.close()
    await eventually(async () => (await state()) === 'unloaded')
    expect((await server.inject(ask())).json().error.code).toBe('no_worker')
  })

  test('a queue that cannot be reached is said, and found again', async () => {
    const { backend } = await fleet.worker()
    backend.automatic = true
    const server = await fleet.server()
    await fleet.queue.kill()
    await eventually(async () => (await server.inject({ url: '/readyz' })).statusCode === 503)
    const refused = await server.inject(ask())
    expect([refused.statusCode, refused.headers['retry-after'], refused.json().error.code]).toEqual([
      503,
      '5',
      'queue_unreachable'
    ])
    expect((await server.inject({ url: '/livez' })).statusCode).toBe(200)
    await fleet.queue.start()
    await eventually(async () => (await server.inject(ask())).statusCode === 200)
    expect((await server.inject({ url: '/readyz' })).statusCode).toBe(200)
  })

  test('a server ends within its grace time, although its queue is away and somebody waits', async () => {
    await fleet.worker()
    const server = await fleet.server({ graceSeconds: 1 })
    const address = await server.listen({ port: 0, host: '127.0.0.1' })
    const { url, ...request } = ask()
    const waiting = fetch(address + url, { ...request, body: JSON.stringify(request.payload) }).then(
      reply => reply.status,
      () => 'cut'
    )
    await eventually(async () => (await server.wuerstchen.jobs.stats()).running === 1)
    await fleet.queue.kill()
    await server.close()
    expect(await waiting).toBe('cut')
    await fleet.queue.start()
  })
})
