import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Merges, symbolsOf } from '../../lib/model/merges.js'

const ALPHABET = ['a', 'b', 'c']
const END = '</w>'

/** Merges of symbols and of what other merges made, in a random order of ranks: far worse than merges learnt from texts. */
const merges = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.boolean()), { minLength: 1, maxLength: 40 }).map(picks => {
  const tokens = [...ALPHABET]
  const pairs: { pair: [string, string]; order: number }[] = []
  for (const [left, right, order, last] of picks) {
    const pair: [string, string] = [tokens[left % tokens.length]!, tokens[right % tokens.length]! + (last ? END : '')]
    if ((pair[0] + pair[1]).length > 12 || pairs.some(other => other.pair.join() === pair.join())) continue
    pairs.push({ pair, order })
    if (!last) tokens.push(pair[0] + pair[1])
  }
  return pairs.sort((a, b) => a.order - b.order).map(({ pair }) => pair)
})

/** Byte pair encoding by the book: the lowest rank first, of equal ranks the leftmost. */
function encode(pairs: readonly (readonly [string, string])[], symbols: readonly string[]): string[] {
  const tokens = [...symbols]
  const rankAt = (index: number) => pairs.findIndex(([left, right]) => left === tokens[index] && right === tokens[index + 1])
  while (true) {
    const ranks = tokens.slice(1).map((_, index) => rankAt(index))
    const lowest = Math.min(...ranks.filter(rank => rank >= 0))
    if (!Number.isFinite(lowest)) return tokens
    const at = ranks.indexOf(lowest)
    tokens.splice(at, 2, tokens[at]! + tokens[at + 1]!)
  }
}

const withEnd = (word: string) => [...word.slice(0, -1), word.at(-1)! + END]
const word = fc.array(fc.constantFrom(...ALPHABET), { minLength: 20, maxLength: 120 }).map(letters => letters.join(''))

test('the first tokens of a word are those of its beginning, whatever follows', () => {
  let settled = 0
  fc.assert(
    fc.property(merges, word, word, fc.integer({ min: 1, max: 8 }), (pairs, text, other, count) => {
      const enough = new Merges(pairs).settled(text, count, text.length)
      if (enough === undefined) return
      settled++
      const first = encode(pairs, withEnd(text)).slice(0, count)
      const start = text.slice(0, enough)
      for (const each of [start, start + other, start + text.slice(0, 1)])
        expect(encode(pairs, withEnd(each)).slice(0, count)).toEqual(first)
    }),
    { numRuns: 2000 }
  )
  // Otherwise nothing was compared.
  expect(settled).toBeGreaterThan(1000)
})

test('a chain of ranks, along which the end of a word decides about its beginning, is seen', () => {
  // (c, d) is merged before (b, c), and that before (a, b): what stands behind decides.
  const chain: [string, string][] = [
    ['c', 'd'],
    ['b', 'c'],
    ['a', 'b']
  ] // prettier-ignore
  const pairs = new Merges(chain)
  expect(encode(chain, [...'abc'])).toEqual(['a', 'bc'])
  expect(encode(chain, [...'abcd'])).toEqual(['ab', 'cd'])
  expect(pairs.settled('abcdabcdabcd', 1, 12)).toBeGreaterThan(3)
  // All a: where pairs begin depends on nothing behind them.
  expect(new Merges([['a', 'a']]).settled('a'.repeat(50), 3, 50)).toBeLessThan(12)
})

test('the symbols of all bytes are those of GPT-2', () => {
  // bytes_to_unicode() of openai/gpt-2, encoder.py.
  expect(symbolsOf('aé \n☕\u00ad')).toBe('aÃ©ĠĊâĺķÂŃ')
})
