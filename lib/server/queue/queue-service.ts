import { Roll } from '../jobs/roll.js'
import { Service, type ServiceFactory } from '../service.js'
import { Watchdog } from '../watchdog.js'
import { AnnouncedModels } from './announced-models.js'
import { Deliveries } from './deliveries.js'
import { Keeper } from './keeper.js'
import { openQueue, sharedSecret } from './queue.js'
import { QueueStore } from './queue-store.js'

/** A service without a model: its work goes to a queue, and workers elsewhere do it. */
export const queueService: ServiceFactory = async (options, hooks, log) => {
  const { address, results } = options.queue!
  const { limits, aliases, webhooks } = options
  const queue = await openQueue(address, results, 'prompt')
  options.urlSecret ??= await sharedSecret(queue.database)
  const { database, news, blobs, office } = queue
  const models = new AnnouncedModels(database.board, aliases, limits.maxSide)
  news.hear('workers-changed', () => void models.look())
  await models.look()
  const keeper = new Keeper({ database, office, blobs, limits })
  const deliveries = webhooks === undefined ? undefined : new Deliveries({ database, news, webhooks, log })
  const jobs = new QueueStore({ database, news, blobs, office, models, limits, observers: hooks })
  return new Service(options, {
    models,
    jobs,
    // Workers watch their work themselves.
    watchdog: new Watchdog({ stallSeconds: 0, models, jobs, roll: new Roll(), hooks }),
    counter: database,
    reachable: () =>
      database.ping().then(
        () => true,
        () => false
      ),
    stop: async () => {
      keeper.close()
      await deliveries?.close()
      await models.close()
      await queue.close()
    }
  })
}
