import { readFileSync } from 'node:fs'
import { figureOf, Fleet } from '../scale/fleet.mjs'
import { clientOf } from '../serve-process.mjs'

/** Linux counts a process's time in hundredths of a second. */
const TICK_SECONDS = 0.01

/** What the engines here share a run between: the simulation of them takes one number for all sizes. */
export const MAX_BATCH = 4

/** @typedef {Awaited<ReturnType<typeof startFleet>>} RealFleet */

/**
 * One server and workers of one thread on this machine, with a Redis of their own, ready to work.
 * @param {string} model @param {number} workers @param {number} requests at a time, each on a connection of its own
 */
export async function startFleet(model, workers, requests) {
  const fleet = await Fleet.start()
  const server = await fleet.server()
  const batch = ['--max-batch', String(MAX_BATCH)]
  const all = await Promise.all(Array.from({ length: workers }, () => fleet.worker(model, 1, batch)))
  await fleet.untilOffered(workers)
  const client = clientOf(server.url, requests)
  return {
    url: server.url,
    redis: fleet.redis.url,
    /** @param {string} path @param {object} body @throws {Error} where it is not done */
    async post(path, body) {
      const { status } = await client.post(path, body)
      if (status === undefined || status >= 300) throw new Error(`Expected an answer for ${path} but received HTTP ${status}`)
    },
    /** @returns {Promise<number>} turns of all engines with a step of images */
    async turns() {
      const counts = await Promise.all(all.map(({ url }) => figureOf(url, 'wuerstchen_engine_runs_total')))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    /** @returns {number} seconds that the processors have spent on the fleet, its Redis and the client in this process */
    processorSeconds() {
      const { user, system } = process.cpuUsage()
      const others = [server, ...all, fleet.redis].map(({ pid }) => {
        const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
        const [userTicks, systemTicks] = fields.split(' ').slice(11, 13)
        return TICK_SECONDS * (Number(userTicks) + Number(systemTicks))
      })
      return (user + system) / 1e6 + others.reduce((sum, each) => sum + each, 0)
    },
    async close() {
      client.close()
      await fleet.close()
    }
  }
}
