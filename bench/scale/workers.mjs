import { availableParallelism } from 'node:os'
import { quantile } from '../fleet/statistics.mjs'
import { plain, ratio, spread } from './outcome.mjs'
import { BATCH, ratesOf, withBoth } from './sides.mjs'

/** @import { ModeOptions, Outcome } from './outcome.mjs' */

/**
 * Workers of one thread beside one process with as many threads. It has no target: what more workers than cores can give is the
 * machine's.
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function manyWorkers({ model, short, say }) {
  const { rounds, counts, ...work } = short
    ? { rounds: 1, counts: [1, 2], images: 1, warmUp: 0 }
    : { rounds: 3, counts: [1, 2, 4], images: 2 * BATCH, warmUp: BATCH }
  const cores = availableParallelism()
  /** @type {Record<number, { one: number, queue: number }[]>} */
  const seen = Object.fromEntries(counts.map(count => [count, []]))
  for (let round = 0; round < rounds; round++) {
    for (const count of counts) {
      const size = { workers: count, threads: count, engineThreads: 1 }
      const rates = await withBoth(model, size, sides => ratesOf(sides, { engines: count, ...work, round }))
      seen[count]?.push(rates)
      say(`round ${round + 1}/${rounds}, ${count}: ${plain(rates.one)} images/s by one process, ${plain(rates.queue)} by workers`)
    }
  }
  const first = quantile(of(counts[0] ?? 1, 'queue'), 0.5)
  return {
    tables: [
      [
        [
          'Threads',
          'one process, images a second',
          'as many workers of one thread, images a second',
          'workers against the process',
          `workers against one worker (${cores} cores)`
        ],
        ...counts.map(count => [
          count,
          spread(of(count, 'one'), plain),
          spread(of(count, 'queue'), plain),
          spread(
            (seen[count] ?? []).map(({ one, queue }) => queue / one),
            ratio
          ),
          `${plain(quantile(of(count, 'queue'), 0.5) / first)}×, of ${Math.min(count, cores)}`
        ])
      ]
    ],
    targets: [],
    figures: { cores, seen }
  }

  /** @param {number} count @param {'one' | 'queue'} side */
  function of(count, side) {
    return (seen[count] ?? []).map(each => each[side])
  }
}
