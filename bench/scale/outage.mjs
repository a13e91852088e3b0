import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { quantile } from '../fleet/statistics.mjs'
import { ask, submit, until } from './asking.mjs'
import { Fleet } from './fleet.mjs'
import { ms, seconds } from './outcome.mjs'

/** @import { Answer } from './asking.mjs' */
/** @import { ModeOptions, Outcome } from './outcome.mjs' */

const SERVERS = 2
const JOBS = 24
const BODY = { prompt: 'a red house by the sea', size: '256x256' }
const MOST_MS = 1000
/** Between two questions to one server. */
const EVERY_MS = 250

/**
 * Redis is killed and comes back: what servers say meanwhile, and what becomes of what was accepted.
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function outage({ model, short, say }) {
  const awaySeconds = short ? 3 : 30
  const jobs = short ? 4 : JOBS
  const fleet = await Fleet.start()
  try {
    for (let count = 0; count < SERVERS; count++) await fleet.server()
    await fleet.worker(model, availableParallelism())
    await fleet.untilOffered(1)
    const urls = fleet.servers.map(({ url }) => url)
    const [first, last] = /** @type {[string, string]} */ (urls)
    const ids = await Promise.all(Array.from({ length: jobs }, (_, at) => submit(at % 2 === 0 ? first : last, BODY)))
    const statusOf = async (/** @type {string} */ id) => (await ask(first, `/v1/jobs/${id}`, { withinMs: 5000 })).body.status
    await until(async () => ((await statusOf(ids[0] ?? '')) === 'queued' ? undefined : true))
    await delay(200)
    await fleet.redis.kill()
    const killed = performance.now()
    say('Redis is away')
    const away = new AbortController()
    const asking = urls.map(url => askMeanwhile(url, away.signal))
    const notReady = await Promise.all(urls.map(url => untilReadiness(url, false, killed)))
    await delay(Math.max(0, killed + awaySeconds * 1000 - performance.now()))
    away.abort()
    const answers = (await Promise.all(asking)).flat()
    await fleet.redis.start()
    const [back, backAt] = [performance.now(), Date.now()]
    say('Redis is back')
    const ready = Promise.all(urls.map(url => untilReadiness(url, true, back)))
    const fresh = until(async () => {
      const { status } = await ask(last, '/v1/images/generations', { body: BODY })
      return status === 200 ? (performance.now() - back) / 1000 : undefined
    })
    const over = await Promise.all(ids.map(id => endOf(id, [first, last])))
    const figures = {
      ...{ answers: answers.map(({ status, ms: time }) => ({ status, ms: time })), notReady, ready: await ready },
      ...{ firstImage: ((await firstEnd(fleet.redis.url, backAt)) - backAt) / 1000, freshImage: await fresh, over }
    }
    return outcome(figures, awaySeconds)
  } finally {
    await fleet.close()
  }
}

/** Asks for images and for jobs in turn. @param {string} url @param {AbortSignal} away */
async function askMeanwhile(url, away) {
  /** @type {Answer[]} */
  const answers = []
  while (!away.aborted) {
    const job = answers.length % 2 === 1
    const body = job ? { endpoint: '/v1/images/generations', body: BODY } : BODY
    answers.push(await ask(url, job ? '/v1/jobs' : '/v1/images/generations', { body, withinMs: 10_000 }))
    await delay(EVERY_MS)
  }
  return answers
}

/** @param {string} url @param {boolean} ready @param {number} since @returns {Promise<number>} milliseconds */
function untilReadiness(url, ready, since) {
  return until(async () => {
    const { status } = await ask(url, '/readyz', { withinMs: 5000 })
    return (status === 200) === ready ? performance.now() - since : undefined
  }, 20)
}

/**
 * What became of a job, as both servers say it, and whether its image is there.
 * @param {string} id @param {readonly string[]} urls
 */
async function endOf(id, urls) {
  const views = await Promise.all(
    urls.map(url =>
      until(async () => {
        const { status, body } = await ask(url, `/v1/jobs/${id}`, { withinMs: 5000 })
        if (status === 404 || status === 410) return 'lost'
        return ['succeeded', 'failed', 'cancelled'].includes(body.status) ? String(body.status) : undefined
      }, 200)
    )
  )
  const result = await ask(urls[0] ?? '', `/v1/jobs/${id}/result`)
  return views.every(view => view === 'succeeded') && result.body.data?.length === 1 ? 'done' : views.join(', ')
}

/**
 * When a job ended first after that time. @param {string} url @param {number} since
 * @returns {Promise<number>}
 */
async function firstEnd(url, since) {
  const redis = new Redis(url)
  try {
    const ends = await Promise.all((await redis.keys('{wuerstchen}:job:*')).map(key => redis.hget(key, 'endedAt')))
    return Math.min(...ends.map(Number).filter(end => end > since))
  } finally {
    redis.disconnect()
  }
}

/**
 * @param {{ answers: { status: number, ms: number }[], notReady: number[], ready: number[], firstImage: number,
 *   freshImage: number, over: string[] }} figures
 * @param {number} awaySeconds
 * @returns {Outcome}
 */
function outcome(figures, awaySeconds) {
  const { answers, notReady, ready, firstImage, freshImage, over } = figures
  const times = answers.map(each => each.ms)
  const right = answers.filter(({ status }) => status === 503).length
  const prompt = times.filter(time => time <= MOST_MS).length
  const lost = over.filter(end => end !== 'done').length
  const longest = Math.max(...times)
  return {
    tables: [
      [
        [`Redis killed for ${awaySeconds} s; 2 servers, a worker, ${over.length} accepted jobs`, ''],
        ['requests meanwhile, answered with 503', `${right} of ${answers.length}`],
        ['an answer took, p50, p99, longest', `${ms(quantile(times, 0.5))}, ${ms(quantile(times, 0.99))}, ${ms(longest)}`],
        ['not ready after', notReady.map(ms).join(', ')],
        ['ready again after its return', ready.map(ms).join(', ')],
        ['first accepted image after its return', seconds(firstImage)],
        ['first image that was asked for then, behind them', seconds(freshImage)],
        ['accepted jobs that are done', `${over.length - lost} of ${over.length}`]
      ]
    ],
    targets: [
      { name: 'answers with 503', aim: 'all', seen: `${right} of ${answers.length}`, met: right === answers.length },
      {
        name: `answers within ${MOST_MS} ms`,
        aim: 'all',
        ...{ seen: `${prompt} of ${times.length}, ${ms(longest)} at most`, met: prompt === times.length }
      },
      { name: 'accepted jobs lost', aim: '0', seen: String(lost), met: lost === 0 }
    ],
    figures
  }
}
