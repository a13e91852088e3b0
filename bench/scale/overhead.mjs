import { availableParallelism } from 'node:os'
import { quantile } from '../fleet/statistics.mjs'
import { ms, plain, ratio, shareOf, spread } from './outcome.mjs'
import { BATCH, lonePairs, ratesOf, withBoth } from './sides.mjs'

/** @import { ModeOptions, Outcome } from './outcome.mjs' */

const LEAST_RATIO = 0.97
const MOST_ADDED_MS = 15

/**
 * What a queue costs: one server and one worker beside one process with as many threads.
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function overhead({ model, short, say }) {
  const { rounds, pairs, ...work } = short
    ? { rounds: 1, pairs: 1, images: 1, warmUp: 0 }
    : { rounds: 5, pairs: 20, images: 6 * BATCH, warmUp: BATCH }
  const threads = availableParallelism()
  /** @type {{ one: number, queue: number, pairs: [number, number][] }[]} */
  const seen = []
  for (let round = 0; round < rounds; round++) {
    const size = { workers: 1, threads, engineThreads: threads }
    const figures = await withBoth(model, size, async sides => ({
      ...(await ratesOf(sides, { engines: 1, ...work, round })),
      pairs: await lonePairs([sides.one, sides.queue], pairs)
    }))
    seen.push(figures)
    const added = quantile(figures.pairs.map(addedBy), 0.5)
    const rates = `${plain(figures.one)} images/s by one process, ${plain(figures.queue)} with the queue`
    say(`round ${round + 1}/${rounds}: ${rates}, a lone request takes ${ms(added)} more`)
  }
  const ratios = seen.map(({ one, queue }) => queue / one)
  const added = seen.map(each => quantile(each.pairs.map(addedBy), 0.5))
  const all = seen.flatMap(each => each.pairs)
  const lone = (/** @type {0 | 1} */ at) =>
    seen.map(each =>
      quantile(
        each.pairs.map(pair => pair[at]),
        0.5
      )
    )
  const middle = { ratio: quantile(ratios, 0.5), added: quantile(all.map(addedBy), 0.5) }
  return {
    tables: [
      [
        ['256×256, default steps', 'one process', 'server and worker', 'compared', 'rounds within the target'],
        [
          `images a second, full engine, ${threads} threads`,
          ...[spread(rateOf('one'), plain), spread(rateOf('queue'), plain), spread(ratios, ratio)],
          shareOf(ratios, isFast)
        ],
        [
          'a lone request, p50',
          ...[spread(lone(0), ms), spread(lone(1), ms), `${spread(added, ms)} more`],
          shareOf(added, isPrompt)
        ]
      ]
    ],
    targets: [
      {
        ...{ name: 'throughput against one process, median of rounds', aim: `≥ ${LEAST_RATIO}` },
        ...{ seen: ratio(middle.ratio), met: isFast(middle.ratio) }
      },
      {
        ...{ name: 'added to a lone request, p50 of all pairs', aim: `≤ ${MOST_ADDED_MS} ms` },
        ...{ seen: ms(middle.added), met: isPrompt(middle.added) }
      }
    ],
    figures: { threads, rounds: seen, ratios, added }
  }

  /** @param {'one' | 'queue'} side */
  function rateOf(side) {
    return seen.map(each => each[side])
  }
}

const isFast = (/** @type {number} */ value) => value >= LEAST_RATIO
const isPrompt = (/** @type {number} */ value) => value <= MOST_ADDED_MS
const addedBy = (/** @type {[number, number]} */ [one, queue]) => queue - one
