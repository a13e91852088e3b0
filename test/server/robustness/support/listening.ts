import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createServer, type LoggerOption, type ServerOptions } from '../../../../lib/server/index.js'
import { until } from '../../fake-backend.js'
import { smallModel } from '../../../support/small-model.js'

export interface Listening {
  app: FastifyInstance
  url: string
  port: number
}

/**
 * Runs `body` with a server of the small model that listens on a free port of this machine and is ready; ends its work, and
 * closes it.
 */
export async function withListening<T>(
  options: ServerOptions & { logger?: LoggerOption },
  body: (server: Listening) => Promise<T>
): Promise<T> {
  const app = await createServer({ models: { small: smallModel }, pipeline: { threads: 1 }, ...options })
  try {
    await app.listen({ host: '127.0.0.1', port: 0 })
    await until(async () => (await app.wuerstchen.readiness()).ready)
    const { port } = app.server.address() as AddressInfo
    return await body({ app, port, url: `http://127.0.0.1:${port}` })
  } finally {
    await app.wuerstchen.abort()
    app.server.closeAllConnections()
    await app.close()
  }
}
