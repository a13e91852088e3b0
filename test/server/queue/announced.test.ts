import { afterEach, beforeEach, expect, test } from 'vitest'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { openQueue, type Queue } from '../../../lib/server/queue/queue.js'
import { describeOnQueues } from '../../support/queues.js'
import { json } from '../fake-backend.js'
import { eventually, Fleet } from './fleet.js'

const REQUEST = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })

/** Also what a later version of this package might say. */
const STRANGE = [
  ...['', 'null', '{}', '"x"', '[]', 'no json', '{"id":"h","models":[{"name":"tiny"}]}', '{"id":"h","models":[null]}'],
  JSON.stringify({
    ...{ id: 'h', version: '1', draining: false, maxRunningImages: 0, runningImages: 0 },
    models: [{ name: 'tiny', hash: '', state: 'ready', pictureSeconds: -1 }],
    limits: { maxImages: 1e9, maxSide: 'all', maxPriorSteps: null }
  })
]

describeOnQueues('servers of a queue in which somebody announces what no worker says', kind => {
  let fleet: Fleet
  let queue: Queue
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
    queue = await openQueue(queueAddress(fleet.queue.url), 'queue', 'patient')
  })
  afterEach(async () => {
    await queue.close()
    await fleet.end()
  })

  test('go by what the others say, those that came later too', async () => {
    const server = await fleet.server()
    const announce = (index: number) => {
      const text = STRANGE[index]!
      return queue.database.board.announce(`strange ${index}`, text, [{ name: `strange${index}`, text }])
    }
    await Promise.all(STRANGE.map((_, index) => announce(index)))
    await queue.database.board.announce('long', 'x'.repeat(1_000_000), [])
    const { backend } = await fleet.worker()
    backend.automatic = true
    const statusOf = async (url: string) => (await server.inject({ url })).statusCode
    const submit = async () => (await server.inject({ url: '/v1/jobs', ...REQUEST })).statusCode
    await eventually(async () => (await submit()) !== 503)
    for (const url of ['/readyz', '/metrics', '/v1/models', '/v1/jobs']) expect([url, await statusOf(url)]).toEqual([url, 200])
    expect(await submit()).toBe(202)
    const models = (await server.inject({ url: '/v1/models' })).json() as { data: { id: string }[] }
    expect(models.data.map(({ id }) => id)).toEqual(['tiny'])
  })
})
