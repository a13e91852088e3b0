import { setTimeout as delay } from 'node:timers/promises'
import { clientOf, closedLoop, startOurs } from '../serve-process.mjs'
import { Fleet } from './fleet.mjs'

/** @import { Server } from '../serve-process.mjs' */

/**
 * One of two ways to serve a model that are compared on one machine. While the other one is measured it is frozen, so that it
 * takes nothing of the machine.
 * @typedef {{ url: string, freeze: () => void, thaw: () => Promise<void>, close: () => Promise<void> }} Side
 */

/** Images that an engine makes at once, and clients that keep it full: the next ones wait already when one ends. */
export const BATCH = 8
const CLIENTS = 2 * BATCH
const BODY = { prompt: 'a red house by the sea', size: '256x256' }

/**
 * `serve --model`.
 * @param {string} model @param {number} threads
 * @returns {Promise<Side>}
 */
async function oneProcess(model, threads) {
  const server = await startOurs(model, { threads, flags: ['--max-queued', '1000', '--max-queued-per-key', '1000'] })
  return { url: server.url, ...froze([server]), close: () => server.stop() }
}

/**
 * `serve --queue` and workers.
 * @param {string} model @param {{ workers: number, threads: number }} size
 * @returns {Promise<Side>}
 */
async function withQueue(model, { workers, threads }) {
  const fleet = await Fleet.start()
  try {
    const { url } = await fleet.server()
    await Promise.all(Array.from({ length: workers }, () => fleet.worker(model, threads)))
    await fleet.untilOffered(workers)
    const { freeze, thaw } = froze([...fleet.servers, ...fleet.workers])
    return {
      ...{ url, freeze, close: () => fleet.close() },
      thaw: async () => {
        await thaw()
        // A worker that was silent has been forgotten.
        await fleet.untilOffered(workers)
      }
    }
  } catch (error) {
    await fleet.close()
    throw error
  }
}

/**
 * Both, frozen, as long as they are used.
 * @template T
 * @param {string} model
 * @param {{ workers: number, threads: number, engineThreads: number }} size `threads` of the one process
 * @param {(sides: { one: Side, queue: Side }) => Promise<T>} use
 */
export async function withBoth(model, { workers, threads, engineThreads }, use) {
  /** @type {Side[]} */
  const open = []
  try {
    const one = await oneProcess(model, threads)
    open.push(one)
    one.freeze()
    const queue = await withQueue(model, { workers, threads: engineThreads })
    open.push(queue)
    queue.freeze()
    return await use({ one, queue })
  } finally {
    await Promise.all(open.map(side => side.close()))
  }
}

/**
 * Images a second of both, each measured twice so that a machine that becomes slower slows both: A B B A, and B A A B in the next
 * round. The work is equal, so the times are added.
 * @param {{ one: Side, queue: Side }} sides
 * @param {{ engines: number, images: number, warmUp: number, round: number }} size images of each engine
 */
export async function ratesOf({ one, queue }, { engines, images, warmUp, round }) {
  for (const side of [one, queue]) await rateOf(side, { engines, images: warmUp })
  const seconds = { one: 0, queue: 0 }
  /** @type {('one' | 'queue')[]} */
  const order = round % 2 === 0 ? ['one', 'queue', 'queue', 'one'] : ['queue', 'one', 'one', 'queue']
  for (const name of order) seconds[name] += 0.5 / (await rateOf(name === 'one' ? one : queue, { engines, images }))
  return { one: 1 / seconds.one, queue: 1 / seconds.queue }
}

/** @param {Server[]} processes @returns {Pick<Side, 'freeze' | 'thaw'>} */
function froze(processes) {
  return {
    freeze: () => {
      for (const each of processes) each.signal('SIGSTOP')
    },
    thaw: async () => {
      for (const each of processes) each.signal('SIGCONT')
    }
  }
}

/**
 * Images a second of a full engine: all of them from the first request to the last reply.
 * @param {Side} side @param {{ engines: number, images: number }} size `images` of each engine
 */
async function rateOf(side, { engines, images }) {
  await side.thaw()
  const client = clientOf(side.url, engines * CLIENTS)
  try {
    // What was frozen, or is new, wakes up.
    await ask(client)
    const { perSecond } = await closedLoop(engines * CLIENTS, engines * images, () => ask(client))
    return perSecond
  } finally {
    client.close()
    side.freeze()
  }
}

/**
 * Milliseconds of requests that come alone, to the one and to the other side in turn.
 * @param {[Side, Side]} sides @param {number} pairs
 * @returns {Promise<[number, number][]>}
 */
export async function lonePairs(sides, pairs) {
  const clients = sides.map(({ url }) => clientOf(url, 1))
  try {
    for (const side of sides) await side.thaw()
    for (const client of clients) await ask(client)
    /** @type {[number, number][]} */
    const times = []
    for (let pair = 0; pair < pairs; pair++) {
      /** @type {[number, number]} */
      const time = [0, 0]
      for (const at of pair % 2 === 0 ? [0, 1] : [1, 0])
        time[at] = await ask(/** @type {ReturnType<typeof clientOf>} */ (clients[at]))
      times.push(time)
    }
    return times
  } finally {
    for (const client of clients) client.close()
    for (const side of sides) side.freeze()
  }
}

/** @param {ReturnType<typeof clientOf>} client @returns {Promise<number>} milliseconds */
async function ask(client) {
  for (let tries = 0; ; tries++) {
    const { status, ms } = await client.post('/v1/images/generations', BODY)
    if (status === 200) return ms
    // Right after they were frozen a server may take its queue for one that does not answer, and its worker for one that is gone.
    if (status !== 503 || tries === 100) throw new Error(`Expected an image but received HTTP ${status}`)
    await delay(100)
  }
}
