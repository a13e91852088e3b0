import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { root } from '../places.mjs'
import { RedisServer } from '../scale/redis.mjs'
import { clientOf, start } from '../serve-process.mjs'

/** Linux counts a process's time in hundredths of a second. */
const TICK_SECONDS = 0.01

/** What the engines here share a run between: the simulation of them takes one number for all sizes. */
export const MAX_BATCH = 4

/** @typedef {Awaited<ReturnType<typeof startFleet>>} RealFleet */

/**
 * One server and workers of one thread on this machine, with a Redis of their own, ready to work.
 * @param {string} model @param {number} workers @param {number} requests that may wait
 */
export async function startFleet(model, workers, requests) {
  const redis = await RedisServer.start()
  const cli = join(root, 'dist', 'cli', 'main.js')
  const shared = ['--queue', redis.url, '--port', '0', '--log-level', 'info']
  const most = ['--max-queued', String(requests), '--max-queued-per-key', String(requests)]
  const server = await start(process.execPath, [cli, 'serve', ...shared, ...most])
  const args = [cli, 'worker', ...shared, '--model', `tiny=${model}`, '--threads', '1', '--device', 'cpu']
  args.push('--max-batch', String(MAX_BATCH))
  const all = await Promise.all(Array.from({ length: workers }, () => start(process.execPath, args)))
  const metrics = async (/** @type {string} */ url) => (await fetch(`${url}/metrics`)).text()
  const offered = async () => /^wuerstchen_queue_workers\{[^}]*\} (\d+)$/m.exec(await metrics(server.url))?.[1]
  while (Number(await offered()) !== workers) await delay(200)
  const client = clientOf(server.url, requests)
  return {
    url: server.url,
    redis: redis.url,
    /** @param {string} path @param {object} body @throws {Error} where it is not done */
    async post(path, body) {
      const { status } = await client.post(path, body)
      if (status === undefined || status >= 300) throw new Error(`Expected an answer for ${path} but received HTTP ${status}`)
    },
    /** @returns {Promise<number>} turns of all engines with a step of images */
    async turns() {
      const texts = await Promise.all(all.map(({ url }) => metrics(url)))
      const counts = texts.flatMap(text => [...text.matchAll(/^wuerstchen_engine_runs_total\{[^}]*\} (\d+)$/gm)])
      return counts.reduce((sum, [, count]) => sum + Number(count), 0)
    },
    /** @returns {number} seconds that the processors have spent on the fleet, its Redis and the client in this process */
    processorSeconds() {
      const { user, system } = process.cpuUsage()
      const others = [server, ...all, redis].map(({ pid }) => {
        const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
        const [userTicks, systemTicks] = fields.split(' ').slice(11, 13)
        return TICK_SECONDS * (Number(userTicks) + Number(systemTicks))
      })
      return (user + system) / 1e6 + others.reduce((sum, each) => sum + each, 0)
    },
    async close() {
      client.close()
      await Promise.all([server, ...all].map(each => each.stop()))
      await redis.stop()
    }
  }
}
