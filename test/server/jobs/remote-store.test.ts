import { afterAll, beforeAll, expect, test } from 'vitest'
import { json, until, withFakeServer } from '../fake-backend.js'
import { StoreProcess } from './remote-store.js'
import { describeKnownJobs } from './known-behaviour.js'
import { describeStore } from './store-behaviour.js'

// What it proves: nothing that passes a store needs to be in its process.

let stores: StoreProcess

beforeAll(() => {
  stores = new StoreProcess()
})
afterAll(() => stores.end())

describeStore('a store in another process', (limits, observers) => stores.store(limits, observers))
describeKnownJobs('a store in another process', (limits, observers) => stores.store(limits, observers))

test('a server whose store is in another process answers as ever', () =>
  withFakeServer(
    { limits: { maxRunningImages: 1, maxQueued: 2 } },
    async (app, backend) => {
      const ask = (body: object, headers = {}) =>
        app.inject({
          url: '/v1/images/generations',
          ...json({ prompt: 'x', ...body }),
          headers: { 'content-type': 'application/json', ...headers }
        })
      const figure = async (name: string) => {
        const { body } = await app.inject({ url: '/metrics' })
        return Number(new RegExp(`^wuerstchen_${name} (\\d+)$`, 'm').exec(body)?.[1])
      }
      const picture = ask({}, { accept: 'image/webp' })
      await until(() => backend.runs.length === 1)
      const created = await app.inject({
        url: '/v1/jobs',
        ...json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
      })
      expect([created.statusCode, created.json().status, created.json().queue_position]).toEqual([202, 'queued', 0])
      const stream = ask({ stream: true })
      await until(async () => (await figure('queue_depth')) === 2)
      expect([await figure('jobs_running'), await figure('images_running')]).toEqual([1, 1])
      const refused = await ask({})
      expect([refused.statusCode, refused.headers['retry-after'], refused.json().error.code]).toEqual([503, '5', 'queue_full'])
      expect((await app.inject({ url: '/readyz' })).json()).toMatchObject({ status: 'ready' })

      backend.runs[0]!.finish()
      const { headers, rawPayload } = await picture
      expect([headers['content-type'], rawPayload]).toEqual(['image/webp', Buffer.from('picture 0')])
      const job = created.headers['location'] as string
      await until(() => backend.runs.length === 2)
      const cancelled = await app.inject({ method: 'DELETE', url: job })
      expect(cancelled.json()).toMatchObject({ status: 'cancelled', error: { code: 'job_cancelled', param: null } })
      expect((await app.inject({ url: `${job}/result` })).statusCode).toBe(409)
      await until(() => backend.runs.length === 3)
      backend.runs[2]!.finish()
      const { body: events } = await stream
      expect(events).toContain('event: image_generation.completed\n')
      expect(events).toContain(`"b64_json":"${Buffer.from('picture 0').toString('base64')}"`)
      expect(await figure('images_total{model="tiny"}')).toBe(2)
      expect(await figure('jobs_kept')).toBe(1)
    },
    false,
    (limits, observers) => stores.store(limits, observers)
  ))
