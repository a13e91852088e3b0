export { createServer, startServer } from './http/app.js'
export { serverPlugin } from './http/plugin.js'
export { CHANNELS } from './observe/channels.js'

export type { LoggerOption } from './http/app.js'
export type { ServerOptions } from './options.js'
export type { Limits } from './limits.js'
export type { Stall } from './watchdog.js'
