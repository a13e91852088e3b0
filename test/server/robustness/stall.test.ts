import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Stall } from '../../../lib/server/index.js'
import { until } from '../fake-backend.js'
import { untilJobs } from './support/idle.js'
import { withListening, type Listening } from './support/listening.js'
import { SteppingEngine } from './support/stepping-engine.js'

let engine: SteppingEngine
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))
afterEach(() => engine.goOn())

interface Line {
  msg: string
  level: number
  [key: string]: unknown
}

/** A server that calls a second without a step a stall, with its log and what its `onStall` was told. */
async function withWatched(
  body: (server: Listening & { lines: () => Line[]; stalls: Stall[] }) => Promise<void>,
  options: Parameters<typeof withListening>[0] = {}
): Promise<void> {
  const [lines, stalls]: [Line[], Stall[]] = [[], []]
  const stream = { write: (line: string) => lines.push(JSON.parse(line) as Line) }
  const onStall = (stall: Stall) => stalls.push(stall)
  engine = new SteppingEngine()
  await withListening({ stallSeconds: 1, onStall, logger: { level: 'warn', stream }, ...options }, async server => {
    // What it says at its start: that it has no keys.
    lines.splice(0)
    try {
      await body({ ...server, lines: () => lines, stalls })
    } finally {
      engine.goOn()
    }
  })
}

const BODY = { prompt: 'x', size: '128x128', prior_steps: 3, decoder_steps: 2 }

const post = ({ url }: Listening, path: string, body: object, options: RequestInit = {}) =>
  fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, ...options })

const probe = async ({ url }: Listening, path: string) => {
  const reply = await fetch(url + path)
  return [reply.status, (await reply.json()) as Record<string, unknown>] as const
}

const metric = async ({ url }: Listening, name: string) =>
  Number(new RegExp(`^wuerstchen_${name}\\{model="small"\\} (\\S+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())![1])

const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** Waits until a probe has a status, and says how long that took. */
async function untilProbe(server: Listening, path: string, status: number): Promise<number> {
  const begin = performance.now()
  while ((await probe(server, path))[0] !== status) await delay(20)
  return performance.now() - begin
}

describe('an engine that hangs', () => {
  test('in work that its client has given up is seen by every probe, is told of once, and may go on', () =>
    withWatched(async server => {
      const { app, lines, stalls } = server
      engine.hang()
      engine.tasks = 6
      const begin = performance.now()
      const client = new AbortController()
      const reply = post(server, '/v1/images/generations', BODY, { signal: client.signal })
      await untilJobs(app, ({ running }) => running === 1)
      client.abort()
      await expect(reply).rejects.toThrow()
      await untilJobs(app)
      expect(await probe(server, '/readyz')).toEqual([200, { status: 'ready', models: [{ id: 'small', status: 'ready' }] }])

      await untilProbe(server, '/readyz', 503)
      expect(performance.now() - begin).toBeGreaterThan(990)
      const [, unready] = await probe(server, '/readyz')
      expect(unready).toEqual({ status: 'stalled', stalled: { model: 'small', stage: 'prior', seconds: 1 } })
      expect((await probe(server, '/livez'))[0]).toBe(200)

      await untilProbe(server, '/livez', 503)
      expect(performance.now() - begin).toBeGreaterThan(1990)
      const [, dead] = await probe(server, '/livez')
      expect(dead).toMatchObject({ status: 'stalled', stalled: { model: 'small', stage: 'prior' } })
      await delay(600)
      expect(stalls).toHaveLength(1)
      expect(await metric(server, 'engine_silent_seconds')).toBeGreaterThan(2)
      expect(await metric(server, 'engine_tasks')).toBe(6)
      expect(lines()).toHaveLength(1)
      expect(lines()[0]).toMatchObject({ level: 50, msg: 'work has stalled', model: 'small', stage: 'prior', jobs: [] })
      expect(lines()[0]!['withoutResult']).toHaveLength(1)

      engine.goOn()
      await untilProbe(server, '/readyz', 200)
      await untilProbe(server, '/livez', 200)
      expect(lines()[1]).toMatchObject({ msg: 'work goes on', model: 'small' })
      expect(lines()).toHaveLength(2)
      expect((await post(server, '/v1/images/generations', BODY)).status).toBe(200)
      expect(await metric(server, 'engine_silent_seconds')).toBe(0)
    }))

  test('stays seen while new jobs start all the time', () =>
    withWatched(async server => {
      engine.hang()
      const ready: number[] = []
      for (const end = performance.now() + 3000; performance.now() < end; ) {
        const { id } = (await (await post(server, '/v1/jobs', { endpoint: '/v1/images/generations', body: BODY })).json()) as {
          id: string
        }
        await untilJobs(server.app, ({ running }) => running > 0)
        await fetch(`${server.url}/v1/jobs/${id}`, { method: 'DELETE' })
        if (performance.now() > end - 1500) ready.push((await probe(server, '/readyz'))[0])
        await delay(50)
      }
      expect(new Set(ready)).toEqual(new Set([503]))
      expect((await probe(server, '/livez'))[0]).toBe(503)
      expect(server.lines().filter(({ msg }) => msg === 'work has stalled')).toHaveLength(1)
    }))

  test('is not unloaded for want of work: that would hide it', () =>
    withWatched(
      async server => {
        engine.hang()
        const { id } = (await (await post(server, '/v1/jobs', { endpoint: '/v1/images/generations', body: BODY })).json()) as {
          id: string
        }
        await untilJobs(server.app, ({ running }) => running > 0)
        await fetch(`${server.url}/v1/jobs/${id}`, { method: 'DELETE' })
        await delay(2500)
        expect(await probe(server, '/readyz')).toMatchObject([503, { status: 'stalled' }])
        engine.goOn()
        await until(() => engine.engines.every(({ disposed }) => disposed))
        expect((await probe(server, '/readyz'))[0]).toBe(200)
      },
      { idleUnloadSeconds: 1 }
    ))

  test('in its first image is seen too', async () => {
    const { createServer } = await import('../../../lib/server/index.js')
    const { smallModel } = await import('../../support/small-model.js')
    engine = new SteppingEngine()
    engine.hang()
    const app = await createServer({ models: { small: smallModel }, stallSeconds: 1 })
    const warm = app.wuerstchen.warmUp()
    const status = async () => ((await app.inject({ url: '/readyz' })).json() as { status: string }).status
    expect(await status()).toBe('loading')
    await until(async () => (await status()) === 'stalled')
    engine.goOn()
    await warm
    expect(await status()).toBe('ready')
    await app.close()
  })
})

test('a model that loads for long is no stall, though jobs wait for it', () =>
  withWatched(
    async server => {
      const { app, lines, stalls } = server
      await until(() => app.wuerstchen.models.slot('small').state === 'unloaded')
      let loaded = () => {}
      const { createEngine } = engine.native
      engine.native.createEngine = (...args) => ({
        ...createEngine(...args),
        loaded: new Promise(resolve => {
          loaded = resolve
        })
      })
      const reply = post(server, '/v1/images/generations', BODY)
      await delay(3000)
      expect((await app.wuerstchen.jobs.stats()).silentMs).toBeGreaterThan(2000)
      expect([await probe(server, '/readyz'), await probe(server, '/livez')]).toEqual([
        [200, { status: 'ready', models: [{ id: 'small', status: 'ready' }] }],
        [200, { status: 'ok' }]
      ])
      loaded()
      expect((await reply).status).toBe(200)
      expect([lines(), stalls]).toEqual([[], []])
    },
    { idleUnloadSeconds: 1 }
  ))
