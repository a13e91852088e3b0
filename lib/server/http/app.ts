import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { invalid } from '../../errors.js'
import type { Loadable } from '../models/slot.js'
import { serverOptions, type ServerOptions } from '../options.js'
import { foundationOf } from '../foundation.js'
import type { Foundation } from '../service.js'
import { sendError, refuseMalformed } from './failures.js'
import { logController, requestId } from './log.js'
import { checkPlace, isLocalPlace, listenAt, type Place } from './place.js'
import { addServer, LAST_WORDS_MS } from './plugin.js'
import { readIdentity } from './tls.js'
import { Connections } from './connections.js'
import { addExpect } from './expect.js'

/** Where log lines go: a pino logger or its options, as Fastify takes them; `false` for nowhere. */
export type LoggerOption = FastifyServerOptions['logger']

/**
 * A server for the models, as a Fastify instance: `await server.listen({ port })`, or `inject` in tests. Models are loaded
 * once it listens, or when the first request wants one. `close` drains it first. The routes work with `server.wuerstchen`.
 * @throws WuerstchenError INVALID_ARGUMENT, MODEL_NOT_FOUND, MODEL_INVALID
 */
export async function createServer(options: ServerOptions & { logger?: LoggerOption } = {}): Promise<FastifyInstance> {
  const { logger = false, ...rest } = options
  const checked = serverOptions(rest)
  return createApp(checked, logger, foundationOf(checked))
}

/**
 * `createServer`, listening.
 * @param place address and port, 0 is any port that is free; or the path of a unix socket, which the file's group may use too
 * @throws WuerstchenError INVALID_ARGUMENT also for an address beyond this machine where there are no API keys
 */
export async function startServer(options: ServerOptions & { logger?: LoggerOption }, place: Place): Promise<FastifyInstance> {
  const { logger = false, ...rest } = options
  const checked = serverOptions(rest)
  const where = checkPlace(place)
  if (checked.keys === undefined && !checked.allowUnauthenticated && !isLocalPlace(where))
    throw invalid(
      'host',
      'an address of this machine alone, for there are no API keys,',
      'host' in where ? where.host : where.path,
      'Give keys, or allow unauthenticated requests'
    )
  const server = await createApp(checked, logger, foundationOf(checked))
  try {
    await listenAt(server, where)
  } catch (error) {
    await server.close()
    throw error
  }
  return server
}

/** @internal On a backend, and in a store, of one's own. */
export async function createApp<T extends Loadable>(
  checked: ReturnType<typeof serverOptions>,
  logger: LoggerOption,
  foundation: Foundation<T>
): Promise<FastifyInstance> {
  const { proxies, tls } = checked
  const identity = tls === undefined ? undefined : await readIdentity(tls)
  const app = Fastify({
    // Fastify's type of an instance depends on this, and nothing here does.
    ...((identity === undefined
      ? {}
      : { https: { cert: identity.cert, key: identity.key, minVersion: identity.minVersion } }) as object),
    logger: logger ?? false,
    genReqId: raw => requestId(raw, proxies),
    ...(proxies === undefined ? {} : { trustProxy: (address: string) => proxies.trusts(address) }),
    bodyLimit: checked.limits.maxBodyBytes,
    logController,
    // It holds for closing too, where running work is waited for: its own limit is graceSeconds.
    pluginTimeout: 0,
    // Time for a body to arrive: a slow one holds memory.
    requestTimeout: 60_000,
    // Requests that arrive while it ends are answered by our own hooks, in the API's own form.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      void sendError(error, request, reply)
    },
    clientErrorHandler: refuseMalformed
  })
  if (identity?.warning !== undefined) app.log.warn(identity.warning)
  const connections = new Connections(app.server)
  let timer: NodeJS.Timeout | undefined
  // Before the plugin's own hook, which waits for running work and for replies: new connections are refused at once.
  app.addHook('preClose', done => {
    timer = setTimeout(() => connections.destroy(), checked.graceSeconds * 1000 + LAST_WORDS_MS)
    connections.end()
    done()
  })
  await addServer(app, checked, foundation)
  // Behind the plugin's own hooks: they are what may speak against a request.
  addExpect(app)
  app.addHook('preClose', done => {
    void connections.ended().then(() => {
      clearTimeout(timer)
      done()
    })
  })
  return app
}
