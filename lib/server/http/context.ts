import type { Scope } from '../keys/entries.js'
import type { Service } from '../service.js'
import type { Operation } from './openapi.js'

/** Who a request is from: the name of its key, or of nobody where none is needed. */
export interface Caller {
  name: string
  scope: Scope
  /** Whether the server has no keys: then everybody has one name, and only addresses tell clients apart. */
  keyless: boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. A route without it is not registered. */
    auth?: 'public' | Scope
    /** Whether the key may also come as the password of Basic authentication. */
    basic?: boolean
    /** What the OpenAPI document says of it; left out of it where there is nothing. */
    operation?: Operation
    /** Whether it brings work, and is therefore refused when there is too much of that. */
    work?: boolean
  }
  interface FastifyRequest {
    /** Set on every route that is not public. */
    caller: Caller | null
    /** What the log says of a request that brought work. */
    job: { job: string; model: string; images: number; user?: string } | null
  }
  interface FastifyInstance {
    wuerstchen: Service
  }
}
