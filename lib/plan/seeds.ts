import { invalid } from '../errors.js'
import { expectInteger } from '../options/is.js'
import { copyList } from '../options/read.js'
import { LARGEST_SEED } from '../options/sampling.js'
import { ANY_SEED, drawSeed } from '../options/seed.js'

/** One seed for each image: the given list, or numbers that count up from `seed`. `seed` is drawn if it was left out. */
export function seedsOf(count: number, seed: unknown, seeds: unknown): number[] {
  if (seeds === undefined) {
    const first = seed === undefined ? drawSeed() : expectSeed('seed', seed, LARGEST_SEED - count + 1)
    return Array.from({ length: count }, (_, index) => first + index)
  }
  if (seed !== undefined) throw invalid('seed', 'nothing beside seeds', seed)
  const list = copyList('seeds', seeds, count)
  if (list?.length !== count) throw invalid('seeds', `a list of ${count} integers, one an image,`, list ?? seeds)
  return list.map((value, index) => expectSeed(`seeds[${index}]`, value, LARGEST_SEED))
}

function expectSeed(name: string, value: unknown, most: number): number {
  // Other programs take it for any seed.
  if (value === ANY_SEED) throw invalid(name, `an integer from 0 to ${most}`, value, 'Leave it out for a random one')
  return expectInteger(name, value, 0, most)
}
