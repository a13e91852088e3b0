import type { FastifyInstance } from 'fastify'
import { expect, test } from 'vitest'
import { JOB_LIST } from '../../../lib/server/api/jobs.js'
import { json, until, withFakeServer } from '../fake-backend.js'

const BODY = { endpoint: '/v1/images/generations', body: { prompt: 'x' } }

async function create(app: FastifyInstance): Promise<string> {
  return (await app.inject({ url: '/v1/jobs', ...json(BODY) })).json<{ id: string }>().id
}

async function list(app: FastifyInstance, query: string) {
  const reply = await app.inject({ url: `/v1/jobs?${query}` })
  return { status: reply.statusCode, page: JOB_LIST.parse(reply.json()) }
}

test('whoever goes from page to page comes to an end, in the form of OpenAI', () =>
  withFakeServer({}, async app => {
    const ids: string[] = []
    for (let count = 0; count < 5; count++) ids.unshift(await create(app))
    const seen: string[] = []
    for (let query = 'limit=2'; ; ) {
      const { page } = await list(app, query)
      seen.push(...page.data.map(({ id }) => id))
      expect([page.first_id, page.last_id]).toEqual([page.data[0]!.id, page.data.at(-1)!.id])
      if (!page.has_more) break
      query = `limit=2&after=${page.last_id}`
    }
    expect(seen).toEqual(ids)
    const { page } = await list(app, `after=${ids[4]}`)
    expect(page).toEqual({ object: 'list', data: [], first_id: null, last_id: null, has_more: false })
  }))

test.each([
  ['unknown', 404, 'job_not_found'],
  ['of another key', 404, 'job_not_found'],
  ['expired', 410, 'job_expired']
])('there is no page after a job that is %s', (kind, status, code) =>
  withFakeServer(
    { apiKeys: [`ann:${'a'.repeat(16)}`, `bob:${'b'.repeat(16)}`], limits: { maxKeptJobs: 1 } },
    async (app, backend) => {
      backend.automatic = true
      const as = (key: string) => ({ authorization: `Bearer ${key.repeat(16)}`, 'content-type': 'application/json' })
      const job = async (key: string) => {
        const { id } = (await app.inject({ ...json(BODY), url: '/v1/jobs', headers: as(key) })).json<{ id: string }>()
        await until(async () => (await app.wuerstchen.jobs.stats()).running === 0)
        return id
      }
      const first = await job('a')
      const second = await job(kind === 'of another key' ? 'b' : 'a')
      const after = { unknown: '01234567-89ab-4def-8123-456789abcdef', 'of another key': second, expired: first }[kind]
      const reply = await app.inject({ url: `/v1/jobs?after=${after}`, headers: as('a') })
      expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([status, code])
    }
  )
)

test('every job says when it will be forgotten, from the beginning on', () =>
  withFakeServer({ limits: { resultTtlSeconds: 100, timeoutSeconds: 50 } }, async (app, backend) => {
    await create(app)
    const before = (await list(app, '')).page.data[0]!
    expect(before.expires_at - before.created_at).toBe(150)
    await until(() => backend.runs.length === 1)
    backend.runs[0]!.finish()
    await until(async () => (await list(app, '')).page.data[0]!.status === 'succeeded')
    const after = (await list(app, '')).page.data[0]!
    expect(after.expires_at - after.finished_at!).toBe(100)
  }))
