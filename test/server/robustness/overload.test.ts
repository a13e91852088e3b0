import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, test, vi } from 'vitest'
import { CHANNELS } from '../../../lib/server/index.js'
import { until } from '../fake-backend.js'
import { withListening, type Listening } from './support/listening.js'
import { pick, seeded } from './support/raw.js'
import { SteppingEngine } from './support/stepping-engine.js'

const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))

const [QUEUE, RUNNING] = [16, 4]
const LIMITS = { maxQueued: QUEUE, maxRunningImages: RUNNING, maxSide: 128 }
const SMALL = { prompt: 'x', size: '128x128', prior_steps: 3, decoder_steps: 2 }

function post({ url }: Listening, body: object, options: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    ...options
  })
}

test('ten times what a server can hold: who is taken on gets pictures, everybody else is told when to come back', () =>
  withListening({ limits: LIMITS }, async server => {
    const { jobs } = server.app.wuerstchen
    let [accepted, mostQueued, mostRunning] = [0, 0, 0]
    // The store reads its figures when it is asked, not when the promise settles.
    const onQueued = async () => {
      accepted++
      mostQueued = Math.max(mostQueued, (await jobs.stats()).queued)
    }
    const onStarted = async () => {
      mostRunning = Math.max(mostRunning, (await jobs.stats()).runningImages)
    }
    subscribe(CHANNELS.jobQueued, onQueued)
    subscribe(CHANNELS.jobStarted, onStarted)
    const replies = await Promise.all(
      Array.from({ length: 10 * (QUEUE + RUNNING) }, async () => {
        const reply = await post(server, SMALL)
        return {
          status: reply.status,
          retryAfter: reply.headers.get('retry-after'),
          body: (await reply.json()) as { data?: unknown[]; error?: { code: string } }
        }
      })
    )
    unsubscribe(CHANNELS.jobQueued, onQueued)
    unsubscribe(CHANNELS.jobStarted, onStarted)
    const done = replies.filter(({ status }) => status === 200)
    const refused = replies.filter(({ status }) => status !== 200)
    expect(done).toHaveLength(accepted)
    expect(accepted).toBeGreaterThanOrEqual(QUEUE + RUNNING)
    expect(refused.length).toBeGreaterThan(0)
    for (const { body } of done) expect(body.data).toHaveLength(1)
    for (const { status, retryAfter, body } of refused) {
      expect([status, body.error?.code]).toEqual([503, 'queue_full'])
      expect(Number(retryAfter)).toBeGreaterThan(0)
    }
    expect(mostQueued).toBeLessThanOrEqual(QUEUE)
    expect(mostRunning).toBeLessThanOrEqual(RUNNING)
    expect(await jobs.stats()).toMatchObject({ queued: 0, running: 0, runningImages: 0 })
    expect((await post(server, SMALL)).status).toBe(200)
  }))

test('200 clients that leave at any moment leave nothing behind', () =>
  withListening({ limits: { ...LIMITS, maxQueued: 200 } }, async server => {
    const random = seeded(7)
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const controller = new AbortController()
        const reply = post(
          server,
          { ...SMALL, prior_steps: 50, n: pick(random, [1, 2, 4]), stream: random() < 0.5 },
          { signal: controller.signal }
        )
          .then(each => each.text())
          .catch(() => {})
        for (let turns = random() * 300; turns > 0; turns--)
          await new Promise(resolve => {
            setImmediate(resolve)
          })
        controller.abort()
        await reply
      })
    )
    const { jobs } = server.app.wuerstchen
    await until(async () => (await jobs.stats()).queued === 0 && (await jobs.stats()).running === 0)
    await until(() => engine.runs.every(run => run === undefined))
    expect(await jobs.stats()).toMatchObject({ runningImages: 0, inputBytes: 0, kept: 0 })
    expect(engine.liveTensors.size).toBe(0)
    expect((await post(server, SMALL)).status).toBe(200)
  }))

test('a body is held for no longer than its request', () =>
  withListening({ limits: { ...LIMITS, maxBodyBytes: 4096, maxHeldBytes: 8192 } }, async server => {
    const body = { ...SMALL, prompt: 'x'.repeat(3000) }
    for (let count = 0; count < 20; count++) {
      expect((await post(server, body)).status).toBe(200)
      expect((await post(server, { ...body, n: 0 })).status).toBe(400)
      expect((await post(server, { ...body, user: 'x'.repeat(2000) })).status).toBe(413)
    }
  }))
