import { afterEach, expect, test, vi } from 'vitest'
import { json, until, withFakeServer } from '../fake-backend.js'

afterEach(() => {
  vi.useRealTimers()
})

test('a drain may take as long as graceSeconds says, and no limit of Fastify cuts it short', () =>
  withFakeServer({ graceSeconds: 3600 }, async (app, { runs }) => {
    const reply = app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })
    await until(() => runs.length === 1)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const closed = app.close()
    await until(() => app.wuerstchen.draining)
    await vi.advanceTimersByTimeAsync(600_000)
    runs[0]!.finish()
    expect((await reply).statusCode).toBe(200)
    await closed
  }))
