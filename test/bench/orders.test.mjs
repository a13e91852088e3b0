import { expect, test } from 'vitest'
import { ORDERS, simulate } from '../../bench/orders-simulation.mjs'
import { sizeOf, textOf, workload } from '../../bench/requests.mjs'
/** @import { Cost } from '../../bench/orders-simulation.mjs' */

/** A step of the large size takes four times that of the small one. @type {Record<string, Cost>} */
const COSTS = {
  '128x128': { prior: { 1: 1, 2: 1.5 }, decoder: { 1: 1, 2: 1.5 }, pixels: 1, cells: 9, most: 2 },
  '256x256': { prior: { 1: 4 }, decoder: { 1: 4 }, pixels: 4, cells: 36, most: 1 }
}
/** @param {string} size @param {number} priorSteps @param {number} decoderSteps @param {number} [at] */
const arrival = (size, priorSteps, decoderSteps, at = 0) => ({
  call: { prompt: '', seed: 0, ...sizeOf(size), priorSteps, decoderSteps },
  at
})
/** @param {string} order */
const orderOf = order => /** @type {(typeof ORDERS)[string]} */ (ORDERS[order])

test.each([
  // Four steps of the large image, six of the small one: by steps the large one goes first.
  { order: 'steps', latencies: [16, 22] },
  { order: 'steps by their cells', latencies: [6, 22] },
  // One step each, until the large image is done after eight.
  { order: 'sizes in turn, a step each', latencies: [20, 22] },
  { order: 'a size to its end', latencies: [16, 22] },
  { order: 'the most images', latencies: [16, 22] }
])('$order: when each is done', ({ order, latencies }) => {
  const arrivals = [arrival('256x256', 2, 1), arrival('128x128', 3, 2)]
  expect(simulate(arrivals, COSTS, orderOf(order))).toEqual({ makespan: 22, latencies, shared: 1 })
})

test('images of one size share a run, those that come later join, and Stage A takes one after another', () => {
  // 1, 1, together 1.5, then the first one's decoder 1 and Stage A 1; the second: 1, 1, 1.
  const arrivals = [arrival('128x128', 3, 1), arrival('128x128', 2, 1, 1.5)]
  expect(simulate(arrivals, COSTS, orderOf('steps'))).toEqual({ makespan: 8.5, latencies: [5.5, 7], shared: 7 / 6 })
})

test('nothing happens before a request comes', () => {
  expect(simulate([arrival('256x256', 1, 1, 100)], COSTS, orderOf('steps'))).toEqual({
    makespan: 112,
    latencies: [12],
    shared: 1
  })
})

test('requests have the same steps and times in any sizes, and each size as many of them', () => {
  const options = { requests: 16, mean: 100 }
  const one = workload(3, { ...options, sizes: [sizeOf('128x128')] })
  const four = workload(3, { ...options, sizes: ['128x128', '256x256', '384x256', '512x512'].map(sizeOf) })
  const rest = (/** @type {typeof one} */ arrivals) =>
    arrivals.map(({ at, call: { width: _w, height: _h, ...call } }) => ({ at, call }))
  expect(rest(four)).toEqual(rest(one))
  expect(four.map(({ call }) => textOf(call)).sort()).toEqual(
    ['128x128', '256x256', '384x256', '512x512'].flatMap(size => Array(4).fill(size))
  )
})

test('a size that is none is refused', () => {
  expect(() => sizeOf('256')).toThrow(/256x256/)
})
