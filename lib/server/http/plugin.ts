import accepts from '@fastify/accepts'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import { pipelineBackend } from '../models/backend.js'
import type { Loadable } from '../models/slot.js'
import { publishing } from '../observe/channels.js'
import { Metrics } from '../observe/metrics.js'
import { serverOptions, type CheckedOptions, type ServerOptions } from '../options.js'
import { Service, type Foundation } from '../service.js'
import { addAdmission } from './admission.js'
import { addAuth } from './auth.js'
import './context.js'
import { addEmptyBodies } from './empty-body.js'
import { addFailures } from './failures.js'
import { addLog, logFailed, stallLog } from './log.js'
import { addMultipart } from './multipart.js'
import { addRateLimit } from './rate-limit.js'
import { addReplyEnd } from './reply-end.js'
import { addRoutes } from './routes/index.js'
import { compileValidator } from './validation.js'

/**
 * The server as a plugin of another Fastify application: `app.register(serverPlugin, { prefix: '/images', … })`. Models are
 * loaded once the application listens, and the work is drained when it is closed. Fastify ends a process whose plugins close more
 * slowly than the application's `pluginTimeout` (10 s by default): `graceSeconds` is cut to four fifths of that, with a warning.
 */
export async function serverPlugin(app: FastifyInstance, options: ServerOptions & { prefix?: string }): Promise<void> {
  const { prefix = '', ...rest } = options
  const checked = withinTimeout(app, serverOptions(rest))
  await addServer(app, checked, { backend: pipelineBackend(checked.pipeline) }, prefix !== '')
}

function withinTimeout(app: FastifyInstance, options: CheckedOptions): CheckedOptions {
  const { pluginTimeout = 10_000 } = app.initialConfig
  const graceSeconds = Math.min(options.graceSeconds, pluginTimeout === 0 ? Infinity : (0.8 * pluginTimeout) / 1000)
  if (graceSeconds === options.graceSeconds) return options
  app.log.warn(
    `Work gets ${graceSeconds} s to finish when this server closes, not ${options.graceSeconds}: the application's pluginTimeout allows no more (0 allows all)`
  )
  return { ...options, graceSeconds }
}

/** Everything of the server that is HTTP, in the order in which a request meets it. */
export async function addServer<T extends Loadable>(
  app: FastifyInstance,
  options: CheckedOptions,
  foundation: Foundation<T>,
  answersUnknown: boolean
): Promise<void> {
  const metrics = new Metrics()
  const failed = (job: string, error: unknown) => logFailed(app, job, error)
  const { onStall } = options
  const told = onStall === undefined ? {} : { hung: onStall }
  const service = await Service.create(options, [metrics, publishing(), { failed }, stallLog(app), told], foundation)
  metrics.watch(service)
  app.decorate('wuerstchen', service)
  // Not sooner: opening LibTorch blocks for seconds on a busy machine, which would count as time of a plugin that does not start.
  app.addHook('onListen', done => {
    service.warmUp().catch((error: unknown) => app.log.error({ err: error }, 'a model cannot be loaded'))
    done()
  })
  app.addHook('preClose', done => {
    void service
      .drain()
      .catch((error: unknown) => app.log.error({ err: error }, 'a model cannot be freed'))
      .then(() => done())
  })

  app.setValidatorCompiler(compileValidator)
  // Replies are made by ourselves, from types; a check of them would only read every image once more.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
  })
  addReplyEnd(app)
  addEmptyBodies(app)
  addLog(app)
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY },
    frameguard: { action: 'deny' },
    // Whether a host is to be reached by TLS alone is up to whatever ends TLS before this server.
    strictTransportSecurity: false
  })
  addFailures(app, answersUnknown)
  if (options.corsOrigins.length > 0) {
    app.addHook('onRoute', route => {
      // A preflight brings no key, and gets nothing but the names of origins, methods and headers.
      if (route.method === 'OPTIONS') route.config = { ...route.config, auth: 'public' }
    })
    await app.register(cors, {
      origin: options.corsOrigins,
      exposedHeaders: ['x-request-id', 'retry-after', 'x-should-retry', 'server-timing', 'x-wuerstchen-seed', 'location'],
      maxAge: 600
    })
  }
  addAuth(app, options)
  await addRateLimit(app, options.limits)
  await app.register(accepts)
  addAdmission(app, service)
  await addMultipart(app, options.limits)
  await addRoutes(app, options, metrics)
}

/** The page and its parts come from here and nowhere else; images it makes are data and blobs. */
const PAGE_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:', 'blob:'],
  connectSrc: ["'self'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"]
}
