import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import type { JobResult } from '../../../lib/server/jobs/work.js'
import { fakeImage, json, resultOf, tinyModel } from '../fake-backend.js'
import { describeOnQueues, lookInside } from '../../support/queues.js'
import { eventually, Fleet } from './fleet.js'

describeOnQueues('what one server took on, any other one knows', kind => {
  let fleet: Fleet
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
  })
  afterEach(() => fleet.end())

  const submit = async (server: FastifyInstance, body: object = {}, headers = {}) => {
    const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x', ...body } })
    const reply = await server.inject({ url: '/v1/jobs', ...request, headers: { ...request.headers, ...headers } })
    expect(reply.statusCode).toBe(202)
    return (reply.json() as { id: string }).id
  }
  const get = async (server: FastifyInstance, id: string) => (await server.inject({ url: `/v1/jobs/${id}` })).json()
  const statusOf = async (server: FastifyInstance, id: string) => ((await get(server, id)) as { status: string }).status

  test('cancels reach a worker that runs, 100 of 100, from a server that did not take the job', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 4 } })
    const [taking, other] = [await fleet.server(), await fleet.server()]
    for (let index = 0; index < 100; index++) {
      const id = await submit(taking)
      await eventually(() => backend.runs.length === index + 1)
      const reply = await other.inject({ method: 'DELETE', url: `/v1/jobs/${id}` })
      expect(reply.json()).toMatchObject({ status: 'cancelled', error: { code: 'job_cancelled' } })
      // It makes no step: it is told by a message, for nothing else would tell it.
      await eventually(() => backend.runs[index]!.signal.aborted)
    }
  })

  test('a job that waits is cancelled before anybody runs it, and its ticket does no harm', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const [first, second] = [await fleet.server(), await fleet.server()]
    const running = await submit(first)
    await eventually(() => backend.runs.length === 1)
    const [waiting, next] = [await submit(first), await submit(first)]
    expect([(await get(second, waiting)).queue_position, (await get(second, next)).queue_position]).toEqual([0, 1])
    await second.inject({ method: 'DELETE', url: `/v1/jobs/${waiting}` })
    backend.runs[0]!.finish()
    await eventually(() => backend.runs.length === 2)
    backend.runs[1]!.finish()
    await eventually(async () => (await statusOf(second, next)) === 'succeeded')
    expect([await statusOf(first, running), await statusOf(first, waiting)]).toEqual(['succeeded', 'cancelled'])
    expect(backend.runs).toHaveLength(2)
  })

  test('tells what happens on every server, also to whoever comes back to another one', async () => {
    const { backend } = await fleet.worker()
    const [first, second] = [await fleet.server(), await fleet.server()]
    const id = await submit(first)
    await eventually(() => backend.runs.length === 1)
    const run = backend.runs[0]!
    run.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 4 })
    await eventually(async () => (await get(second, id)).progress[0]?.step === 1)
    const address = await second.listen({ port: 0, host: '127.0.0.1' })
    const stream = (await fetch(`${address}/v1/jobs/${id}/events`)).body!.pipeThrough(new TextDecoderStream()).getReader()
    let body = ''
    while (!body.includes('job.status')) body += (await stream.read()).value ?? ''
    run.emit({ type: 'step', image: 0, stage: 'prior', step: 2, steps: 4 })
    run.emit({ type: 'preview', image: 0, index: 0, file: Buffer.from('rough'), format: 'png', width: 8, height: 8 })
    // A preview is let go of with the end of its job.
    while (!body.includes('job.partial_image')) body += (await stream.read()).value ?? ''
    run.emit({ type: 'image', image: 0, result: fakeImage(run.work, 0) })
    run.finish()
    for (let part = await stream.read(); !part.done; part = await stream.read()) body += part.value
    const events = [...body.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)
    expect(events).toEqual(['job.status', 'job.progress', 'job.partial_image', 'job.image', 'job.status'])
    expect(body).toContain(Buffer.from('rough').toString('base64'))
    expect(body).toContain('"status":"running"')
    expect(body).toContain('"status":"succeeded"')
    // Nobody remembers a preview of what is over.
    const again = await first.inject({ url: `/v1/jobs/${id}/events` })
    expect([...again.body.matchAll(/^event: (.*)$/gm)]).toHaveLength(1)
  })

  test('tells of each image once, although the work is done again, and of work that was given back', async () => {
    const first = await fleet.worker({ graceSeconds: 0 })
    const server = await fleet.server()
    const request = json({ prompt: 'x', n: 2, stream: true })
    const stream = server.inject({ url: '/v1/images/generations', ...request })
    await eventually(() => first.backend.runs.length === 1)
    const { work, emit } = first.backend.runs[0]!
    emit({ type: 'image', image: 0, result: fakeImage(work, 0) })
    const second = await fleet.worker()
    await first.worker.close()
    await eventually(() => second.backend.runs.length === 1)
    const again = second.backend.runs[0]!
    expect(again.work).toEqual(work)
    for (const image of [0, 1]) again.emit({ type: 'image', image, result: fakeImage(work, image) })
    again.finish()
    const { body } = await stream
    expect([...body.matchAll(/"image_index":(\d)/g)].map(([, index]) => index)).toEqual(['0', '1'])
  })

  test('gives up what takes too long, wherever it is', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const [first, second] = [await fleet.server(), await fleet.server()]
    const running = await submit(first, { timeout_seconds: 2 })
    const waiting = await submit(first, { timeout_seconds: 1 })
    for (const id of [running, waiting]) await eventually(async () => (await statusOf(second, id)) === 'failed')
    expect((await get(second, waiting)).error).toMatchObject({ code: 'timeout' })
    expect((await get(second, waiting)).started_at).toBeNull()
    await eventually(() => backend.runs[0]!.signal.aborted)
    expect(backend.runs).toHaveLength(1)
  })

  test('workers of two models, whose tickets have the same numbers, do their own work', async () => {
    const workers = await Promise.all(['tiny', 'other'].map(name => fleet.worker({ models: { [name]: tinyModel } })))
    const server = await fleet.server()
    for (let round = 1; round <= 3; round++) {
      const ids = await Promise.all(['tiny', 'other'].map(model => submit(server, { model })))
      for (const [index, { backend }] of workers.entries()) {
        await eventually(() => backend.runs.length === round)
        expect(backend.runs.at(-1)!.model).toBe(['tiny', 'other'][index])
        backend.runs.at(-1)!.finish()
      }
      for (const id of ids) await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    }
  })

  test('work goes to a worker that has nothing to do, although another one has room for it', async () => {
    const [busy, idle] = [await fleet.worker(), await fleet.worker()]
    const server = await fleet.server()
    await submit(server)
    await eventually(() => busy.backend.runs.length + idle.backend.runs.length === 1)
    const [one, other] = busy.backend.runs.length === 1 ? [busy, idle] : [idle, busy]
    other.backend.automatic = true
    // By chance it would be half of them. A busy machine may keep the other worker from being the first one now and then.
    for (let index = 0; index < 40; index++) {
      const id = await submit(server)
      await eventually(async () => one.backend.runs.length > 1 || (await statusOf(server, id)) === 'succeeded')
      for (const run of one.backend.runs.splice(1)) run.finish()
    }
    expect(other.backend.runs.length).toBeGreaterThanOrEqual(30)
  })

  test('keys take turns over all servers and workers, however many jobs each has', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const keys = { apiKeys: ['many:secret-of-many-keys-here', 'few:secret-of-few-keys-here'] }
    const servers = [await fleet.server(keys), await fleet.server(keys)]
    const as = (name: string) => ({ authorization: `Bearer secret-of-${name}-keys-here` })
    for (let index = 0; index < 12; index++) await submit(servers[index % 2]!, { prompt: `many ${index}` }, as('many'))
    for (let index = 0; index < 3; index++) await submit(servers[index % 2]!, { prompt: `few ${index}` }, as('few'))
    backend.automatic = true
    backend.runs[0]?.finish()
    await eventually(() => backend.runs.length === 15)
    const prompts = backend.runs.map(({ work }) => (work.options as { prompt: string }).prompt)
    const few = prompts.flatMap((prompt, index) => (prompt.startsWith('few') ? [index] : []))
    // The first one ran before the others came.
    expect(Math.max(...few)).toBeLessThanOrEqual(6)
    expect(prompts.filter(prompt => prompt.startsWith('many'))).toEqual(Array.from({ length: 12 }, (_, index) => `many ${index}`))
  })

  test('limits of a key hold over all servers', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const options = { limits: { maxQueuedPerKey: 2 } }
    const [first, second] = [await fleet.server(options), await fleet.server(options)]
    await submit(first)
    await eventually(() => backend.runs.length === 1)
    const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
    // All at once: each is let in before any of them waits.
    const servers = Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? first : second))
    const replies = await Promise.all(servers.map(server => server.inject({ url: '/v1/jobs', ...request })))
    expect(replies.filter(({ statusCode }) => statusCode === 202)).toHaveLength(2)
    const refused = replies.filter(({ statusCode }) => statusCode !== 202)
    for (const { statusCode, json: read } of refused) expect([statusCode, read().error.code]).toEqual([429, 'queue_share_full'])
  })

  test('a job whose failure passes by is done again for the same key, with the files that came again', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const image =
      'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
    const request = json({ endpoint: '/v1/images/edits', body: { prompt: 'x', image } })
    const ask = async () => {
      const headers = { ...request.headers, 'idempotency-key': 'same' }
      const reply = await server.inject({ url: '/v1/jobs', ...request, headers })
      expect(reply.statusCode).toBe(202)
      return (reply.json() as { id: string }).id
    }
    const id = await ask()
    await eventually(() => backend.runs.length === 1)
    backend.runs[0]!.fail(new WuerstchenError('OUT_OF_MEMORY', 'x', { subject: 'decoder' }))
    await eventually(async () => (await statusOf(server, id)) === 'failed')
    expect(await ask()).toBe(id)
    await eventually(() => backend.runs.length === 2)
    const sourceOf = ({ work }: { work: unknown }) => (work as { source: Buffer }).source.toString('base64')
    expect(sourceOf(backend.runs[1]!)).toBe(image.replace(/.*,/, ''))
    backend.runs[1]!.finish()
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
  })

  test('images that the database has forgotten before the job ended are put there again', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const id = await submit(server, { n: 2 })
    await eventually(() => backend.runs.length === 1)
    const run = backend.runs[0]!
    const result = resultOf(run.work) as Extract<JobResult, { kind: 'images' }>
    run.emit({ type: 'image', image: 0, result: result.images[0]! })
    const inside = lookInside(kind, fleet.queue.url)
    await eventually(async () => (await inside.forgetFiles()) > 0)
    await inside.end()
    run.finish(result)
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    const { data } = (await server.inject({ url: `/v1/jobs/${id}/result` })).json() as { data: { b64_json: string }[] }
    expect(data.map(each => Buffer.from(each.b64_json, 'base64').toString())).toEqual(['picture 0', 'picture 1'])
  })

  test('requests of a key are counted over all servers', async () => {
    const { backend } = await fleet.worker()
    backend.automatic = true
    const options = { limits: { requestsPerMinute: 3 } }
    const servers = [await fleet.server(options), await fleet.server(options)]
    for (let index = 0; index < 3; index++) await submit(servers[index % 2]!)
    const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
    for (const server of servers) {
      const refused = await server.inject({ url: '/v1/jobs', ...request })
      expect([refused.statusCode, refused.json().error.code]).toEqual([429, 'rate_limit_exceeded'])
    }
  })

  test('what is too large for one of the workers is refused at once, as any of them can get it', async () => {
    await fleet.worker({ limits: { maxImages: 2 } })
    await fleet.worker({ limits: { maxPriorSteps: 20 } })
    const server = await fleet.server()
    for (const [body, param] of [
      [{ n: 3 }, 'n'],
      [{ prior_steps: 21 }, 'prior_steps']
    ] as const) {
      const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x', ...body } })
      const { statusCode, json: read } = await server.inject({ url: '/v1/jobs', ...request })
      expect([statusCode, read().error.param]).toEqual([400, param])
    }
  })

  test('a worker whose files are elsewhere runs nothing, and says what it was started with', async () => {
    const lines: string[] = []
    const { backend } = await fleet.worker({}, { level: 'error', stream: { write: (line: string) => void lines.push(line) } })
    const results = pathToFileURL(mkdtempSync(join(tmpdir(), 'wuerstchen-results-'))).href
    const server = await fleet.server({ results })
    const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
    const { id } = (await server.inject({ url: '/v1/jobs', ...request })).json() as { id: string }
    await eventually(async () => (await server.inject({ url: `/v1/jobs/${id}` })).json().status === 'failed')
    expect(backend.runs).toEqual([])
    expect(lines.join('')).toContain(
      'Expected --results file:///DIRECTORY for a worker, as the servers of its queue have it, but received queue'
    )
    rmSync(fileURLToPath(results), { recursive: true })
  })

  test('lists jobs of all servers, page by page, and forgets them in time', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 8 } })
    const options = { limits: { resultTtlSeconds: 2 } }
    const [first, second] = [await fleet.server(options), await fleet.server(options)]
    const ids: string[] = []
    // Whoever looks at the pages is not to be overtaken by their end: nothing ends before that.
    for (let index = 0; index < 5; index++) ids.unshift(await submit(index % 2 === 0 ? first : second))
    const page = (await second.inject({ url: '/v1/jobs?limit=3' })).json()
    expect([page.data.map(({ id }: { id: string }) => id), page.has_more]).toEqual([ids.slice(0, 3), true])
    const rest = (await first.inject({ url: `/v1/jobs?limit=3&after=${ids[2]}` })).json()
    expect([rest.data.map(({ id }: { id: string }) => id), rest.has_more]).toEqual([ids.slice(3), false])
    await eventually(() => backend.runs.length === 5)
    for (const run of backend.runs) run.finish()
    for (const id of ids) await eventually(async () => (await first.inject({ url: `/v1/jobs/${id}` })).statusCode === 410)
    expect(await first.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, running: 0, kept: 0, keptBytes: 0, inputBytes: 0 })
  })
})
