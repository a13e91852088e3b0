import { randomUUID } from 'node:crypto'
import { VERSION } from '../../version.js'
import { modelPath } from '../../internal.js'
import type { Backend } from '../models/backend.js'
import { readFacts, type ModelFacts } from '../models/model.js'
import type { Models } from '../models/models.js'
import type { Loadable } from '../models/slot.js'
import { Service, type ServiceHooks } from '../service.js'
import type { CheckedWorkerOptions } from '../worker-options.js'
import { announce, type OfferedFacts } from './announcement.js'
import { claimedWork } from './claimed-work.js'
import { costOf } from './cost.js'
import { Keeper } from './keeper.js'
import { Pace } from './pace.js'
import { Patience } from './patience.js'
import { openQueue } from './queue.js'
import { ANNOUNCE_MS } from './queue-database.js'
import { QueueSource } from './queue-source.js'
import { TICKET_TIMES, type TicketTimes } from './tickets.js'

const WITHDRAW_MS = 500

/** A worker: models of this process, and the work of a queue. */
export interface WorkerService {
  /** Its name in the queue. */
  id: string
  service: Service<QueueSource>
  /** Loads the models, makes an image with each, and then takes work. */
  start(): Promise<void>
  /** Resolves when the last job is over that the worker was to take. */
  over: Promise<void>
}

/** @internal On a backend, and with times, of one's own. */
export async function openWorker<T extends Loadable>(
  options: CheckedWorkerOptions,
  hooks: readonly ServiceHooks[],
  backend: Backend<T>,
  times: TicketTimes = TICKET_TIMES
): Promise<WorkerService> {
  const { server, maxJobs, once, onPoisoned } = options
  const { address, results } = options.queue
  const facts = await Promise.all(server.models.map(({ name, directory }) => readFacts(name, modelPath(directory))))
  const queue = await openQueue(address, results, 'patient')
  try {
    await queue.expectClock()
  } catch (error) {
    await queue.close()
    throw error
  }
  const { database, news, blobs, office } = queue
  const id = randomUUID()
  const known = new Map(facts.map(each => [each.name, each]))
  const pace = new Pace()
  const takers = new Map(facts.map(({ name }) => [name, queue.taker(name, times)]))
  const patience = new Patience(hooks)
  let poisoned = false
  const keeper = new Keeper({ database, office, blobs })
  let timer: NodeJS.Timeout | undefined
  const service: Service<QueueSource> = Service.over(server, hooks, {
    facts,
    backend,
    open: (roll, models) =>
      new QueueSource({
        id,
        database,
        news,
        blobs,
        patience,
        takers,
        maxJobs,
        once,
        workOf: async (claimed, model) => {
          try {
            return await claimedWork(claimed, known.get(model)!, { blobs, patience, limits: server.limits })
          } catch (error) {
            for (const hook of hooks) hook.failed?.(claimed.record.view.id, error)
            throw error
          }
        },
        measured: (work, ms) => pace.measured(work.model, costOf(work, known.get(work.model)!), ms),
        observers: [...hooks, roll],
        poisons: async ({ model }, { code }) => code === 'INTERNAL' && (await runsOnGpu(service, model)),
        poisoned: () => {
          poisoned = true
          onPoisoned()
        },
        // One that cannot be loaded here can perhaps be loaded elsewhere.
        offers: model => models.slot(model).state !== 'failed',
        leaving: () => void say()
      }),
    stopped: async () => {
      clearInterval(timer)
      keeper.close()
      patience.end()
      // Whoever ends does not wait for a queue that cannot be reached. One that work has brought to its end does not say goodbye.
      if (!poisoned)
        await Promise.race([
          database.board.withdraw(id).catch(() => {}),
          new Promise(resolve => setTimeout(resolve, WITHDRAW_MS))
        ])
      await Promise.all([...takers.values()].map(taker => taker.close()))
      await queue.close()
    }
  })
  const say = () =>
    announce(database.board, announcementOf(id, service, pace), facts.map(offered)).catch(() => {
      // The queue cannot be reached: the next announcement tells.
    })
  return {
    id,
    service,
    over: service.jobs.over,
    async start() {
      await service.warmUp()
      await say()
      news.watch({
        lost: () => patience.away('no connection'),
        // At once: who has been away for long is taken for one that has ended.
        found: () => {
          patience.back()
          void say()
        }
      })
      timer = setInterval(() => void say(), ANNOUNCE_MS)
      service.jobs.begin()
    }
  }
}

function offered({ path: _, ...facts }: ModelFacts): OfferedFacts {
  return facts
}

function announcementOf(id: string, { models, jobs, limits }: Service<QueueSource>, pace: Pace) {
  const modelOf = ({ name, hash }: Models['all'][number]) => ({
    name,
    hash,
    state: models.slot(name).state,
    pictureSeconds: pace.of(name)
  })
  return {
    id,
    version: VERSION,
    models: models.all.map(modelOf),
    limits,
    maxRunningImages: limits.maxRunningImages,
    runningImages: jobs.runningImages,
    draining: jobs.draining
  }
}

/** A fault of the engine leaves the context of a GPU as it is: whatever runs there next fails too. */
async function runsOnGpu({ models }: Service<QueueSource>, name: string): Promise<boolean> {
  const model = (await models.slot(name).peek()) as { artefacts?: { device: string }[] } | undefined
  return model?.artefacts?.some(({ device }) => device.startsWith('cuda')) ?? false
}
