import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AwsV4Signer } from 'aws4fetch'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { queueAddress } from '../../../../lib/server/queue/address.js'
import { DirectoryFiles } from '../../../../lib/server/queue/files/directory-files.js'
import type { FileStore } from '../../../../lib/server/queue/files/file-store.js'
import { resultsPlace, type S3Place } from '../../../../lib/server/queue/files/results-place.js'
import { S3Files } from '../../../../lib/server/queue/files/s3-files.js'
import { s3Settings } from '../../../../lib/server/queue/files/s3-settings.js'
import { StoredBlobs } from '../../../../lib/server/queue/files/stored-blobs.js'
import { openQueue, type Queue } from '../../../../lib/server/queue/queue.js'
import { describeOnQueues, lookInside, type Inside, type QueueKind } from '../../../support/queues.js'
import { json } from '../../fake-backend.js'
import { eventually, Fleet } from '../fleet.js'
import { PLACES, type Place } from './places.js'

describe.each(['file', 's3'] as const)('files in %s that belong to nothing any more', kind => {
  const tests = (database: QueueKind) => {
    let fleet: Fleet
    let place: Place
    let queue: Queue
    let inside: Inside
    let files: FileStore
    beforeEach(async () => {
      fleet = await Fleet.start(database)
      inside = lookInside(database, fleet.queue.url)
      place = await PLACES[kind]()
      queue = await openQueue(queueAddress(fleet.queue.url), resultsPlace(place.address), 'prompt')
      const folder = await inside.folder()
      const times = { tryMs: 5000, allMs: 5000 }
      files =
        kind === 'file'
          ? new DirectoryFiles(join(fileURLToPath(place.address), folder))
          : new S3Files(AwsV4Signer, s3Settings(), resultsPlace(place.address) as S3Place, folder, times)
    })
    afterEach(async () => {
      await queue.close()
      await inside.end()
      await fleet.end()
      await place.end()
    })

    const paths = async () => {
      const found: string[] = []
      for await (const { path } of files.list()) found.push(path)
      return found.sort()
    }
    /** Looks as somebody does for whom all files are old, and whose turn it is. */
    const look = async (through = false) => {
      await inside.hurryLeftOver()
      // By what the database remembers, or by a look through all files.
      await inside.lookedThrough(!through)
      new StoredBlobs(files, queue.database, { youngMs: 0, orphansMs: 3_600_000 }).sweep()
      await new Promise(resolve => setTimeout(resolve, 50))
    }

    test('go with the end of a job, and with its result', async () => {
      const options = { results: place.address }
      const { backend } = await fleet.worker(options)
      const server = await fleet.server(options)
      const image =
        'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
      const request = json({ endpoint: '/v1/images/edits', body: { prompt: 'x', image } })
      const { id } = (await server.inject({ url: '/v1/jobs', ...request })).json() as { id: string }
      await eventually(() => backend.runs.length === 1)
      await look()
      expect(await paths()).toEqual([expect.stringContaining(`${id}/in/`)])
      backend.runs[0]!.finish()
      await eventually(async () => (await inside.stateOf(id)) === 'succeeded')
      await eventually(async () => {
        await look()
        return !(await paths()).some(path => path.includes('/in/'))
      })
      const result = (await server.inject({ url: `/v1/jobs/${id}/result`, headers: { accept: 'image/png' } })).rawPayload
      expect(result.toString()).toBe('picture 0')
      // As if its time were over.
      await inside.expire(id)
      await eventually(async () => {
        await look()
        return (await paths()).length === 0
      })
      await eventually(async () => {
        await look()
        return (await inside.hurryLeftOver()) === 0
      })
    })

    test('are found when no record tells of them, unless they are young', async () => {
      const part = new Map([['0', Buffer.from('x')]])
      for (const job of ['crashed', 'other']) for (const side of ['in', 'out'] as const) await queue.blobs.put(job, side, part, 1)
      await inside.addRunning('other')
      // As every process looks: what a server has just written has no record yet.
      queue.blobs.sweep!()
      await eventually(() => inside.lookedThrough())
      expect(await paths()).toEqual(['crashed/in/0', 'crashed/out/0', 'other/in/0', 'other/out/0'])
      await eventually(async () => {
        await look(true)
        return (await paths()).length === 2
      })
      expect(await paths()).toEqual(['other/in/0', 'other/out/0'])
    })
  }
  describeOnQueues('', tests, ...(kind === 's3' ? (['test/s3'] as const) : []))
})
