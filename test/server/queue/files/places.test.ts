import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { queueAddress } from '../../../../lib/server/queue/address.js'
import { openQueue, type Queue } from '../../../../lib/server/queue/queue.js'
import { resultsPlace } from '../../../../lib/server/queue/files/results-place.js'
import { describeOnQueues, type QueueKind } from '../../../support/queues.js'
import { fakeImage, json } from '../../fake-backend.js'
import { eventually, Fleet } from '../fleet.js'
import { PLACES, type Place } from './places.js'

const HOUR_MS = 3_600_000

describe.each(Object.keys(PLACES) as (keyof typeof PLACES)[])('files of jobs in %s', kind => {
  const tests = (database: QueueKind) => {
    let fleet: Fleet
    let place: Place
    let queue: Queue
    beforeEach(async () => {
      fleet = await Fleet.start(database)
      place = await PLACES[kind]()
      queue = await openQueue(queueAddress(fleet.queue.url), resultsPlace(place.address), 'prompt')
    })
    afterEach(async () => {
      await queue.close()
      await fleet.end()
      await place.end()
    })

    test('come back as they were written, and those that are not there do not', async () => {
      const { blobs } = queue
      const parts = new Map([
        ['run1i.0', randomBytes(3_000_000)],
        ['run1i.1', Buffer.alloc(0)],
        ['_-.x', Buffer.from('ä')]
      ])
      await blobs.put('job-1', 'out', parts, HOUR_MS)
      await blobs.put('job-1', 'out', new Map([['later', Buffer.from('too')]]), HOUR_MS)
      const found = await blobs.get('job-1', 'out', ['later', ...parts.keys(), 'none'])
      expect([...found.keys()].sort()).toEqual(['_-.x', 'later', 'run1i.0', 'run1i.1'])
      // Comparing millions of bytes one by one takes a test runner many seconds.
      for (const [name, bytes] of parts) expect(Buffer.compare(found.get(name)!, bytes)).toBe(0)
      expect(await blobs.get('job-1', 'in', [...parts.keys()])).toEqual(new Map())
      expect(await blobs.get('job-2', 'out', ['later'])).toEqual(new Map())
      expect(await blobs.get('job-1', 'out', [])).toEqual(new Map())
    })

    test('are other ones when they are written again, and none when they are dropped', async () => {
      const { blobs } = queue
      for (const text of ['first', 'second']) await blobs.put('job', 'in', new Map([['a', Buffer.from(text)]]), HOUR_MS)
      expect((await blobs.get('job', 'in', ['a'])).get('a')).toEqual(Buffer.from('second'))
      await blobs.drop('job', 'in', ['a', 'never there'.replaceAll(' ', '-')])
      expect(await blobs.get('job', 'in', ['a'])).toEqual(new Map())
      await blobs.drop('job', 'in', ['a'])
    })

    test.skipIf(kind === 'queue')('have no names that lead elsewhere', async () => {
      const { blobs } = queue
      for (const name of ['../../x', '..', '', '/etc/passwd', 'a/b', 'a%2fb/', 'a\\b\0', 'ä', 'a'.repeat(101)]) {
        const parts = new Map([[name, Buffer.from('x')]])
        const refused = { code: 'QUEUE_FULL', subject: 'results' }
        await expect(blobs.put('job', 'out', parts, HOUR_MS)).rejects.toMatchObject(refused)
        await expect(blobs.put(name, 'out', new Map([['a', Buffer.from('x')]]), HOUR_MS)).rejects.toMatchObject(refused)
        await expect(blobs.get('job', 'out', [name])).rejects.toMatchObject(refused)
        await expect(blobs.drop(name, 'out', ['a'])).rejects.toMatchObject(refused)
      }
    })

    const submit = async (server: FastifyInstance) => {
      const image = `data:image/png;base64,${PIXEL}`
      const request = json({ endpoint: '/v1/images/edits', body: { prompt: 'x', image, n: 2 } })
      const reply = await server.inject({ url: '/v1/jobs', ...request })
      expect([reply.statusCode, reply.body]).toEqual([202, expect.any(String)])
      return (reply.json() as { id: string }).id
    }

    test('carry a job from one server through a worker to another one', async () => {
      const options = { results: place.address }
      const { backend } = await fleet.worker(options)
      const [first, second] = [await fleet.server(options), await fleet.server(options)]
      const id = await submit(first)
      await eventually(() => backend.runs.length === 1)
      const run = backend.runs[0]!
      expect(Buffer.from((run.work as unknown as { source: Uint8Array }).source).toString('base64')).toBe(PIXEL)
      run.emit({ type: 'preview', image: 0, index: 0, file: Buffer.from('rough'), format: 'png', width: 8, height: 8 })
      for (const image of [0, 1]) run.emit({ type: 'image', image, result: fakeImage(run.work, image) })
      run.finish()
      const status = async () => ((await second.inject({ url: `/v1/jobs/${id}` })).json() as { status: string }).status
      await eventually(async () => (await status()) === 'succeeded')
      const { data } = (await second.inject({ url: `/v1/jobs/${id}/result` })).json() as { data: { b64_json: string }[] }
      expect(data.map(each => Buffer.from(each.b64_json, 'base64').toString())).toEqual(['picture 0', 'picture 1'])
    })
  }
  describeOnQueues('', tests, ...(kind === 's3' ? (['test/s3'] as const) : []))
})

/** A PNG of one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
