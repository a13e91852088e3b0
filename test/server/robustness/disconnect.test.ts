import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Pipeline } from '../../../lib/index.js'
import { CHANNELS } from '../../../lib/server/index.js'
import type { JobView } from '../../../lib/server/jobs/store.js'
import { until } from '../fake-backend.js'
import { withListening, type Listening } from './support/listening.js'

// The real engine: what is to be shown is that it stops.

const RUNNING = 4
const WAITING = 196
/** So many steps that no machine is done with them before it is told to stop. */
const LONG = { prompt: 'a photo of a cat', size: '256x256', prior_steps: 100, decoder_steps: 100, n: 1 }

async function withJobs<T>(body: (jobs: { started: JobView[]; ended: JobView[] }) => Promise<T>): Promise<T> {
  const jobs = { started: [] as JobView[], ended: [] as JobView[] }
  const onStarted = (message: unknown) => {
    jobs.started.push((message as { job: JobView }).job)
  }
  const onEnded = (message: unknown) => {
    jobs.ended.push((message as { job: JobView }).job)
  }
  subscribe(CHANNELS.jobStarted, onStarted)
  subscribe(CHANNELS.jobEnded, onEnded)
  try {
    return await body(jobs)
  } finally {
    unsubscribe(CHANNELS.jobStarted, onStarted)
    unsubscribe(CHANNELS.jobEnded, onEnded)
  }
}

function ask({ url }: Listening, body: object, count: number) {
  return Array.from({ length: count }, () => {
    const controller = new AbortController()
    const reply = fetch(`${url}/v1/images/generations`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
      signal: controller.signal
    })
    return {
      leave: () => controller.abort(),
      gone: reply.then(
        () => false,
        () => true
      )
    }
  })
}

test.each([false, true])(
  'of 200 clients that leave, those who wait never start and those who run stop within a step (streaming: %s)',
  stream =>
    withListening({ limits: { maxQueued: WAITING, maxRunningImages: RUNNING } }, async server =>
      withJobs(async ({ started, ended }) => {
        const { jobs, models } = server.app.wuerstchen
        const pipeline = (await models.slot('small').peek()) as unknown as Pipeline
        const body = { ...LONG, stream }
        const sockets = new Set<Socket>()
        server.app.server.on('connection', (socket: Socket) => {
          sockets.add(socket)
          socket.once('close', () => sockets.delete(socket))
        })
        const running = ask(server, body, RUNNING)
        await until(async () => (await jobs.stats()).running === RUNNING && pipeline.stats().running === RUNNING)
        const waiting = ask(server, body, WAITING)
        await until(async () => (await jobs.stats()).queued === WAITING)

        for (const { leave } of waiting) leave()
        await until(async () => (await jobs.stats()).queued === 0)
        expect(started).toHaveLength(RUNNING)
        expect(ended.every(({ state, startedAt }) => state === 'cancelled' && startedAt === null)).toBe(true)

        // What the server can know of a client that leaves is that its connection closes.
        let atClose = Number.NaN
        const noteClose = () => {
          atClose = runs()
        }
        for (const socket of sockets) socket.once('close', noteClose)
        const runs = () => Object.values(pipeline.stats().stages).reduce((sum, stage) => sum + stage.runs, 0)
        let atEnd = Number.NaN
        const note = () => {
          atEnd = runs()
        }
        subscribe(CHANNELS.jobEnded, note)
        const atLeave = runs()
        for (const { leave } of running) leave()
        await until(async () => (await jobs.stats()).running === 0)
        unsubscribe(CHANNELS.jobEnded, note)
        for (const socket of sockets) socket.off('close', noteClose)
        await until(() => pipeline.stats().running === 0)
        // The step that was under way when the last one left, and none after it.
        expect(runs() - atEnd).toBeLessThanOrEqual(1)
        // The step that was being counted, and the one that was under way.
        expect(runs() - atClose).toBeLessThanOrEqual(2)
        expect(runs() - atLeave).toBeLessThanOrEqual(10)
        expect(started).toHaveLength(RUNNING)
        expect(ended).toHaveLength(RUNNING + WAITING)
        expect(ended.every(({ state }) => state === 'cancelled')).toBe(true)
        expect(await Promise.all([...running, ...waiting].map(({ gone }) => (stream ? true : gone)))).not.toContain(false)

        const next = await fetch(`${server.url}/v1/images/generations`, {
          method: 'POST',
          body: JSON.stringify({ prompt: 'x', size: '128x128', prior_steps: 1, decoder_steps: 1 }),
          headers: { 'content-type': 'application/json' }
        })
        expect(next.status).toBe(200)
      })
    ),
  120_000
)
