import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { quantile } from '../fleet/statistics.mjs'
import { closedLoop } from '../serve-process.mjs'
import { ask, submit } from './asking.mjs'
import { figureOf, Fleet } from './fleet.mjs'
import { ms, seconds, shareOf } from './outcome.mjs'

/** @import { ModeOptions, Outcome } from './outcome.mjs' */
/** @typedef {{ workers: number, picture: number, alone: number[], loaded: number[][] }} Seen milliseconds; of each of the five */

const [MANY, FEW] = ['many-has-a-key-of-her-own', 'few-has-a-key-of-his-own']
const FIVE = 5
const BODY = { prompt: 'a red house by the sea', size: '128x128', prior_steps: 10, decoder_steps: 4 }

/**
 * A key with a thousand jobs that wait, and one with five that come then: when each of the five is done, beside the five alone
 * on an idle queue.
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function fairness({ model, short, say }) {
  const size = short ? { waiting: 60, alone: 2, rounds: 2 } : { waiting: 1000, alone: 5, rounds: 10 }
  const seen = [await measure(1), await measure(2)]
  const addedTo = (/** @type {Seen} */ { alone, loaded }, /** @type {number} */ at) =>
    loaded.map(times => Number(times[at]) - Number(alone[at]))
  return {
    tables: seen.map(each => [
      [
        `${each.workers} worker${each.workers === 1 ? '' : 's'}, ${size.waiting} jobs of another key wait`,
        ...['alone, p50', 'behind them, p50', 'longest', 'added, p50', `added at most ${each.workers} picture(s)`]
      ],
      ...each.alone.map((alone, at) => {
        const times = each.loaded.map(round => Number(round[at]))
        const added = addedTo(each, at)
        return [
          `the ${at + 1}. of five is done after`,
          ...[seconds(alone / 1000), seconds(quantile(times, 0.5) / 1000), seconds(Math.max(...times) / 1000)],
          ...[ms(quantile(added, 0.5)), shareOf(added, value => value <= each.workers * each.picture)]
        ]
      })
    ]),
    targets: seen.map(each => {
      const added = Math.max(...each.alone.map((_, at) => quantile(addedTo(each, at), 0.5)))
      const most = each.workers * each.picture
      return {
        name: `each of five behind ${size.waiting}, ${each.workers} worker(s): added to the time alone, p50 of the slowest place`,
        aim: `≤ a picture a worker: ${ms(most)}`,
        seen: ms(added),
        met: added <= most
      }
    }),
    figures: { seen }
  }

  /** @param {number} workers @returns {Promise<Seen>} */
  async function measure(workers) {
    const fleet = await Fleet.start()
    const redis = new Redis(fleet.redis.url)
    try {
      const { url } = await fleet.server([`many:${MANY}`, `few:${FEW}`])
      const threads = Math.max(1, Math.floor(availableParallelism() / workers))
      await Promise.all(Array.from({ length: workers }, () => fleet.worker(model, threads)))
      await fleet.untilOffered(workers)
      const five = async () => {
        const answers = Array.from({ length: FIVE }, () => ask(url, '/v1/images/generations', { key: FEW, body: BODY }))
        return (await Promise.all(answers))
          .map(({ status, ms: time }) => {
            if (status !== 200) throw new Error(`Expected an image but received HTTP ${status}`)
            return time
          })
          .sort((a, b) => a - b)
      }
      await five()
      /** @type {number[][]} */
      const alone = []
      for (let round = 0; round < size.alone; round++) alone.push(await five())
      /** @type {number[][]} */
      const loaded = []
      for (let round = 0; round < size.rounds; round++) {
        const missing = Math.max(0, size.waiting - (await figureOf(url, 'wuerstchen_queue_depth')))
        await closedLoop(16, missing, () => submit(url, BODY, MANY))
        // Somewhere in a picture: places are spread over its time.
        await delay(500 + (1000 * round) / size.rounds)
        loaded.push(await five())
        say(
          `${workers} worker(s), round ${round + 1}/${size.rounds}: ${loaded
            .at(-1)
            ?.map(time => seconds(time / 1000))
            .join(', ')}`
        )
      }
      const middle = Array.from({ length: FIVE }, (_, at) =>
        quantile(
          alone.map(times => Number(times[at])),
          0.5
        )
      )
      return { workers, picture: await pictureMs(redis), alone: middle, loaded }
    } finally {
      redis.disconnect()
      await fleet.close()
    }
  }
}

/**
 * How long a picture takes in a full engine: the middle of those of the key with many, from when a worker took it.
 * @param {Redis} redis
 */
async function pictureMs(redis) {
  const times = []
  for (const key of await redis.keys('{wuerstchen}:job:*')) {
    const [owner, state, started, ended] = await redis.hmget(key, 'owner', 'state', 'startedAt', 'endedAt')
    if (owner === 'many' && state === 'succeeded') times.push(Number(ended) - Number(started))
  }
  return quantile(times, 0.5)
}
