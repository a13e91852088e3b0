import { PostgresServer } from './postgres.mjs'
import { RedisServer } from './redis.mjs'

/**
 * A job that has failed, as the database has it: the key that it was asked for with, and the workers that it took along.
 * @typedef {{ key: string, message: string, workers: string[] }} Failure
 */

/**
 * A database of one's own. `kill` ends it as SIGKILL does, `start` has it back with what it has written.
 * @typedef {object} QueueServer
 * @property {string} url
 * @property {() => Promise<void>} start
 * @property {() => Promise<void>} kill
 * @property {() => Promise<void>} stop
 * @property {() => Promise<Failure[]>} failures
 * @property {() => Promise<string[]>} unfinished
 */

/** @typedef {'redis' | 'postgres'} QueueKind */

/**
 * @param {QueueKind} kind
 * @param {{ fsync?: 'everysec' | 'always', password?: string }} [options] `fsync` is Redis'
 * @returns {Promise<QueueServer>}
 */
export function startQueue(kind, { fsync, password } = {}) {
  const secret = password === undefined ? {} : { password }
  if (kind === 'postgres') return PostgresServer.start(secret)
  return RedisServer.start({ ...secret, ...(fsync === undefined ? {} : { appendfsync: fsync }) })
}
