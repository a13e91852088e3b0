import { setTimeout as delay } from 'node:timers/promises'
import { quantile } from '../fleet/statistics.mjs'
import { ask, until } from './asking.mjs'
import { Fleet } from './fleet.mjs'
import { ms } from './outcome.mjs'

/** @import { ModeOptions, Outcome } from './outcome.mjs' */

const BODY = { endpoint: '/v1/images/generations', body: { prompt: 'a red house by the sea', size: '128x128' } }
/** Of clients that ask for jobs without a pause. */
const CLIENTS = 4

/**
 * The power of Redis' machine goes again and again while clients hand in jobs: how many that were accepted are gone, and how long
 * ago the oldest of them was accepted. Only what the disk has for sure is kept (synced.cc).
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function power({ model, short, say }) {
  const cuts = short ? 1 : 10
  const always = await cutAgainAndAgain('always', { model, cuts, say })
  const everysec = await cutAgainAndAgain('everysec', { model, cuts, say })
  const lostOf = (/** @type {typeof always} */ seen) => seen.reduce((sum, { lost }) => sum + lost.length, 0)
  const row = (/** @type {string} */ name, /** @type {typeof always} */ seen) => {
    const perCut = seen.map(({ lost }) => lost.length)
    const ages = seen.flatMap(({ lost }) => lost)
    return [
      name,
      String(seen.reduce((sum, { accepted }) => sum + accepted, 0)),
      String(lostOf(seen)),
      `${quantile(perCut, 0.5)}, ${Math.max(...perCut)}`,
      ages.length === 0 ? '–' : ms(Math.max(...ages))
    ]
  }
  return {
    tables: [
      [
        [`power cut ${cuts} times`, 'accepted', 'lost', 'lost at a cut, p50 and most', 'the oldest was accepted before the cut'],
        row('`appendfsync always`', always),
        row('`appendfsync everysec`', everysec)
      ]
    ],
    targets: [{ name: 'accepted jobs lost with `always`', aim: '0', seen: String(lostOf(always)), met: lostOf(always) === 0 }],
    figures: { always, everysec }
  }
}

/**
 * @param {'always' | 'everysec'} appendfsync @param {Omit<ModeOptions, 'short'> & { cuts: number }} options
 * @returns how many were accepted, and of each that is gone how long before the cut
 */
async function cutAgainAndAgain(appendfsync, { model, cuts, say }) {
  /** @type {{ accepted: number, lost: number[] }[]} */
  const seen = []
  for (let cut = 0; cut < cuts; cut++) {
    const fleet = await Fleet.start({ appendfsync, canLosePower: true })
    try {
      const { url } = await fleet.server()
      await fleet.worker(model, 1)
      await fleet.untilOffered(1)
      const away = new AbortController()
      const clients = Array.from({ length: CLIENTS }, () => handIn(url, away.signal))
      // At another moment of Redis' second each time.
      await delay(2000 + (1000 * cut) / cuts)
      const at = performance.now()
      await fleet.redis.losePower()
      away.abort()
      const accepted = (await Promise.all(clients)).flat()
      await fleet.redis.start()
      await until(async () => ((await ask(url, '/readyz')).status === 200 ? true : undefined))
      const lost = []
      for (const { id, when } of accepted) if ((await ask(url, `/v1/jobs/${id}`)).status !== 200) lost.push(at - when)
      seen.push({ accepted: accepted.length, lost })
      say(`${appendfsync}, cut ${cut + 1}/${cuts}: ${lost.length} of ${accepted.length} accepted jobs are lost`)
    } finally {
      await fleet.close()
    }
  }
  return seen
}

/** @param {string} url @param {AbortSignal} away @returns when each job was accepted */
async function handIn(url, away) {
  /** @type {{ id: string, when: number }[]} */
  const accepted = []
  while (!away.aborted) {
    const { status, body } = await ask(url, '/v1/jobs', { body: BODY, withinMs: 5000 })
    if (status === 202) accepted.push({ id: body.id, when: performance.now() })
    else await delay(10)
  }
  return accepted
}
