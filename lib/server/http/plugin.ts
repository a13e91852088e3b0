import accepts from '@fastify/accepts'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import type { Loadable } from '../models/slot.js'
import { publishing } from '../observe/channels.js'
import { Metrics } from '../observe/metrics.js'
import { Tracing } from '../observe/tracing.js'
import type { CheckedOptions } from '../options.js'
import { Service, type Foundation } from '../service.js'
import { addAdmission } from './admission.js'
import { addAuth, warnWithoutKeys } from './auth.js'
import './context.js'
import { addEmptyBodies } from './empty-body.js'
import { addFailures } from './failures.js'
import { loadLog, logFailed, stallLog } from './log.js'
import { addBodyLimits } from './body-limits.js'
import { addJsonBody } from './json-body.js'
import { addMultipart } from './multipart.js'
import { addRateLimit } from './rate-limit.js'
import { addReplyBytes } from './reply-bytes.js'
import { addReplyEnd } from './reply-end.js'
import { addRoutes } from './routes/index.js'
import { addTrails } from './trail.js'
import { WebhookSender } from '../webhooks/sender.js'
import { compileValidator } from './validation.js'

/** What is left for answers to work that was ended with the grace time, until connections are cut. */
export const LAST_WORDS_MS = 150

/** Everything of the server that is HTTP, in the order in which a request meets it. */
export async function addServer<T extends Loadable>(
  app: FastifyInstance,
  options: CheckedOptions,
  foundation: Foundation<T>
): Promise<void> {
  const metrics = new Metrics()
  const tracing = await Tracing.find()
  const failed = (job: string, error: unknown) => logFailed(app, job, error)
  const { onStall } = options
  // Where jobs are in a queue, so are the messages of their ends.
  const webhooks =
    options.webhooks === undefined || 'open' in foundation ? undefined : new WebhookSender(options.webhooks, app.log)
  const told = onStall === undefined ? {} : { hung: onStall }
  const hooks = [metrics, tracing ?? {}, publishing(), { failed }, stallLog(app), loadLog(app), told, webhooks ?? {}]
  const service =
    'open' in foundation ? await foundation.open(options, hooks, app.log) : await Service.create(options, hooks, foundation)
  metrics.watch(service)
  app.decorate('wuerstchen', service)
  // Not sooner: opening LibTorch blocks for seconds on a busy machine, which would count as time of a plugin that does not start.
  app.addHook('onListen', done => {
    void service.warmUp()
    done()
  })
  app.setValidatorCompiler(compileValidator)
  // Replies are made by ourselves, from types; a check of them would only read every image once more.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  app.removeContentTypeParser('text/plain')
  const replies = addReplyEnd(app)
  app.addHook('preClose', done => {
    // Whoever does not read, or does not send, holds nobody up for longer.
    const timer = setTimeout(() => replies.cut(), options.graceSeconds * 1000 + LAST_WORDS_MS)
    const drained = service
      .drain()
      .catch((error: unknown) => app.log.error({ err: error }, 'a model cannot be freed'))
      .then(() => webhooks?.close())
    void Promise.all([drained, replies.settled()]).then(() => {
      clearTimeout(timer)
      done()
    })
  })
  addEmptyBodies(app)
  addTrails(app, metrics, tracing)
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY },
    frameguard: { action: 'deny' },
    // Whether a host is to be reached by TLS alone is up to whatever ends TLS before this server.
    strictTransportSecurity: false
  })
  addFailures(app)
  if (options.corsOrigins.length > 0) {
    app.addHook('onRoute', route => {
      // A preflight brings no key, and gets nothing but the names of origins, methods and headers.
      if (route.method === 'OPTIONS') route.config = { ...route.config, auth: 'public' }
    })
    await app.register(cors, {
      origin: options.corsOrigins,
      exposedHeaders: [
        'x-request-id',
        'retry-after',
        'x-should-retry',
        'server-timing',
        'x-wuerstchen-seed',
        'location',
        'idempotency-replayed',
        'traceresponse'
      ],
      maxAge: 600
    })
  }
  warnWithoutKeys(app, options)
  addAuth(app, options)
  await addRateLimit(app, options.limits, service.counter)
  await app.register(accepts)
  addAdmission(app, service)
  addBodyLimits(app, options.limits)
  addJsonBody(app, options.limits)
  addReplyBytes(app, service)
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
