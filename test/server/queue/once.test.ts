import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWorkerApp, type Worker } from '../../../lib/server/http/worker-app.js'
import { workerOptions } from '../../../lib/server/worker-options.js'
import { describeOnQueues } from '../../support/queues.js'
import { FakeBackend, tinyModel } from '../fake-backend.js'
import { CALM, Fleet } from './fleet.js'

describeOnQueues('a worker that ends when there is nothing to do', kind => {
  let fleet: Fleet
  let worker: Worker
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
    const options = workerOptions({ queue: fleet.queue.url, models: { tiny: tinyModel }, once: true })
    worker = await createWorkerApp(options, false, new FakeBackend(), CALM)
    await worker.server.ready()
  })
  afterEach(async () => {
    await worker.close()
    await fleet.end()
  })

  test('ends where nothing waits', async () => {
    await worker.start()
    await worker.over
  })

  test('does not know that while the queue is away', async () => {
    await fleet.queue.kill()
    let over = false
    void worker.over.then(() => (over = true))
    const started = worker.start()
    await new Promise(resolve => setTimeout(resolve, 1500))
    expect(over).toBe(false)
    await fleet.queue.start()
    await started
    await worker.over
  })
})
