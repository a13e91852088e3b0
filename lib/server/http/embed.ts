import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { invalid } from '../../errors.js'
import { foundationOf } from '../foundation.js'
import { serverOptions, type CheckedOptions, type ServerOptions } from '../options.js'
import { setOuterRequest } from './client.js'
import { sendError } from './failures.js'
import { logController, requestId } from './log.js'
import { addServer } from './plugin.js'

/** A Fastify application, of whatever copy of Fastify: frameworks have their own, and the types of two copies do not fit. */
export interface HostApplication {
  /** Below which path the plugin is registered; empty for the root. */
  readonly prefix: string
  /** Fastify's version. */
  readonly version: string
}

/**
 * The server as a plugin of another Fastify application: `app.register(serverPlugin, { prefix: '/images', … })`. Models are
 * loaded once the application listens, and the work is drained when it is closed. Fastify ends a process whose plugins close more
 * slowly than the application's `pluginTimeout` (10 s by default): `graceSeconds` is cut to four fifths of that, with a warning.
 *
 * The server is an application of its own inside, which gets requests after the hooks of the application around, up to
 * `preHandler`. Neither sees the plugins, decorators, parsers and error handlers of the other.
 * @throws WuerstchenError INVALID_ARGUMENT, MODEL_NOT_FOUND, MODEL_INVALID; `app.ready()` then rejects
 */
export async function serverPlugin(host: HostApplication, options: ServerOptions & { prefix?: string }): Promise<void> {
  const app = host as FastifyInstance
  const { prefix: _, ...rest } = options
  const checked = withinTimeout(app, serverOptions(rest))
  const { proxies, tls, limits } = checked
  if (proxies !== undefined) throw invalid('trustProxy', 'nothing', rest.trustProxy, 'Give it to the application around')
  if (tls !== undefined) throw invalid('tls', 'nothing', tls, 'Give https to the application around')
  // Addresses of this server are made from it.
  if (/[:*]/.test(app.prefix)) throw invalid('prefix', 'a path without parameters', app.prefix)
  const inner = Fastify({
    loggerInstance: app.log,
    logController,
    genReqId: raw => requestId(raw),
    bodyLimit: limits.maxBodyBytes,
    pluginTimeout: 0,
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      void sendError(error, request, reply)
    }
  })
  const routes: Route[] = []
  inner.addHook('onRoute', ({ method, url }) => {
    // That of @fastify/cors is for every address, and the application may have one like it. See `preflights`.
    for (const each of [method].flat()) if (each !== 'OPTIONS') routes.push({ method: each, url })
  })
  const { wuerstchen } = await open(inner, app.prefix, checked)
  app.addHook('onListen', done => {
    void wuerstchen.warmUp()
    done()
  })
  app.addHook('preClose', async () => inner.close())
  await forward(app, inner, checked.corsOrigins.length === 0 ? routes : [...routes, ...preflights(routes)])
}

interface Route {
  method: string
  url: string
}

/** Questions of browsers before they send a request of another origin. */
function preflights(routes: readonly Route[]): Route[] {
  return [...new Set(routes.map(({ url }) => url))].map(url => ({ method: 'OPTIONS', url }))
}

/** @returns the part of the inner application that has the routes */
async function open(inner: FastifyInstance, prefix: string, checked: CheckedOptions): Promise<FastifyInstance> {
  let server: FastifyInstance | undefined
  try {
    await inner.register(
      async scope => {
        server = scope
        await addServer(scope, checked, foundationOf(checked))
      },
      { prefix }
    )
    await inner.ready()
    return server!
  } catch (error) {
    await inner.close()
    throw error
  }
}

/** Routes of the application around that lead to the inner one. */
async function forward(app: FastifyInstance, inner: FastifyInstance, routes: readonly Route[]): Promise<void> {
  const { prefix } = app
  const handler = (request: FastifyRequest, reply: FastifyReply) => {
    setOuterRequest(request)
    // What hooks of the application have set, for other origins say, would be lost. The server's own headers replace it.
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value)
    reply.hijack()
    inner.routing(request.raw, reply.raw)
  }
  const { ignoreTrailingSlash = false } = app.initialConfig.routerOptions ?? {}
  // A part of its own: a plugin that is not encapsulated would take the application's parsers away.
  await app.register(async scope => {
    scope.removeAllContentTypeParsers()
    // Bodies are read by the inner application.
    scope.addContentTypeParser('*', (request, payload, done) => {
      done(payload === request.raw ? null : new Error('A preParsing hook of the application replaces bodies'), undefined)
    })
    for (const { method, url } of routes) {
      const path = url.slice(prefix.length)
      if (path === '' && ignoreTrailingSlash) continue
      scope.route({ method, url: path, handler, exposeHeadRoute: false, prefixTrailingSlash: path === '/' ? 'slash' : 'both' })
    }
    // Below a prefix, the answers to what does not exist are the server's too.
    if (prefix !== '') scope.all('/*', handler)
  })
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
