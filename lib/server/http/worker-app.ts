import Fastify, { type FastifyInstance } from 'fastify'
import { Metrics } from '../observe/metrics.js'
import { publishing } from '../observe/channels.js'
import { pipelineBackend, type Backend } from '../models/backend.js'
import type { Loadable } from '../models/slot.js'
import { openWorker } from '../queue/worker-service.js'
import type { TicketTimes } from '../queue/tickets.js'
import type { Service } from '../service.js'
import { workerOptions, type CheckedWorkerOptions, type WorkerOptions } from '../worker-options.js'
import type { LoggerOption } from './app.js'
import { addAuth } from './auth.js'
import { addFailures } from './failures.js'
import { loadLog, logController, logFailed, queueLog, requestId, stallLog } from './log.js'
import { addHealth } from './routes/health.js'
import { addMetrics } from './routes/metrics.js'
import { addReplyEnd } from './reply-end.js'
import { addTrails } from './trail.js'

/** A worker, and the server of its probes and metrics. */
export interface Worker {
  /** Its name in the queue: a UUID, another one each time. */
  readonly id: string
  /** Answers /livez, /readyz and /metrics; `server.listen()` is up to you. */
  readonly server: FastifyInstance
  /** Loads the models, makes an image with each, and takes work from then on. */
  start(): Promise<void>
  /** Resolves when a worker with `maxJobs` or `once` has done its last job. */
  readonly over: Promise<void>
  /** Takes no more work, lets what runs end within `graceSeconds`, and gives back what has not. Safe to call again. */
  close(): Promise<void>
}

/**
 * A worker for the queue of servers. Needs the packages bullmq and ioredis, or bullmq and pg.
 * @throws WuerstchenError INVALID_ARGUMENT, MODEL_NOT_FOUND, MODEL_INVALID; TIMEOUT where the queue does not answer
 */
export async function createWorker(options: WorkerOptions & { logger?: LoggerOption } = {}): Promise<Worker> {
  const { logger = false, ...rest } = options
  const checked = workerOptions(rest)
  return createWorkerApp(checked, logger, pipelineBackend(checked.server.pipeline))
}

/** @internal On a backend of one's own. */
export async function createWorkerApp<T extends Loadable>(
  options: CheckedWorkerOptions,
  logger: LoggerOption,
  backend: Backend<T>,
  times?: TicketTimes
): Promise<Worker> {
  const { server: checked } = options
  const app = Fastify({
    logger: logger ?? false,
    genReqId: raw => requestId(raw),
    logController,
    pluginTimeout: 0,
    return503OnClosing: false
  })
  const metrics = new Metrics()
  const told = checked.onStall === undefined ? {} : { hung: checked.onStall }
  const failed = (job: string, error: unknown) => logFailed(app, job, error)
  const hooks = [metrics, publishing(), { failed }, stallLog(app), loadLog(app), queueLog(app), told]
  const { id, service, start, over } = await openWorker(options, hooks, backend, times)
  metrics.watch(service)
  // Whoever obeys signals asks for the grace time there.
  app.decorate('wuerstchen', service as unknown as Service)
  addReplyEnd(app)
  addTrails(app, metrics, undefined)
  addFailures(app)
  addAuth(app, checked)
  addHealth(app, service)
  addMetrics(app, metrics)
  app.addHook('preClose', async () => service.drain())
  return { id, server: app, start, over, close: async () => app.close() }
}
