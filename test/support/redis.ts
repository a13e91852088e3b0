import { describe } from 'vitest'
import { has } from './programs.mjs'

export { RedisServer, type RedisOptions } from '../../bench/scale/redis.mjs'

/** Tests that need Redis: left out by name where there is none. */
export const describeWithRedis = describe.skipIf(!has('redis-server'))
