/**
 * The HTTP server.
 * @module wuerstchen/server
 */

export { createServer, startServer } from './http/app.js'
export { serverPlugin } from './http/embed.js'
export { createWorker } from './http/worker-app.js'
export { ApiKeys } from './keys/api-keys.js'
export { CHANNELS } from './observe/channels.js'

export type { HostApplication } from './http/embed.js'
export type { LoggerOption } from './http/app.js'
export type { Place } from './http/place.js'
export type { TlsFiles } from './http/tls.js'
export type { ServerOptions } from './options.js'
export type { LimitName, Limits } from './limits.js'
export type { WorkerOptions } from './worker-options.js'
export type { Worker } from './http/worker-app.js'
export type { Stall } from './watchdog.js'
