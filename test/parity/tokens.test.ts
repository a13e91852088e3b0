import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { TextTokenizer } from '../../lib/model/tokenizer.js'
import { smallModel } from '../support/small-model.js'
import { tokens } from './reference.js'

const MAX_LENGTH = 77

let tokenizer: TextTokenizer
let end: number
beforeAll(async () => {
  const manifest = JSON.parse(await readFile(join(smallModel, 'wuerstchen.json'), 'utf8')) as {
    tokenizers: { priorTextEncoder: { padTokenId: number } }
  }
  end = manifest.tokenizers.priorTextEncoder.padTokenId
  tokenizer = new TextTokenizer(await readFile(join(smallModel, 'prior_tokenizer.json')), MAX_LENGTH, end)
})

test("at least 1,000 strings have the tokens of transformers' CLIP tokenizer", () => {
  expect(tokens.length).toBeGreaterThanOrEqual(1000)
  const wrong = tokens.filter(({ text, ids }) => {
    const encoded = tokenizer.encode(text)
    const padded = [...ids, ...new Array<number>(MAX_LENGTH - ids.length).fill(end)]
    const mask = padded.map((_, index) => (index < ids.length ? 1 : 0))
    return [...encoded.ids].join() !== padded.join() || [...encoded.mask].join() !== mask.join()
  })
  expect(wrong.map(({ text }) => text)).toEqual([])
})

test('exactly the strings that are too long report what was cut', () => {
  for (const { text, length } of tokens)
    expect(tokenizer.encode(text).removed !== '', JSON.stringify(text)).toBe(length > MAX_LENGTH)
})

test.each([
  ['lone surrogates', '\ud83d a \udc31'],
  ['one long word', 'x'.repeat(30_000)],
  ['many words', 'cat '.repeat(8000)],
  ['combining marks', 'e' + '\u0301'.repeat(10_000)],
  ['control characters', '\u0000\u0001\u001f\u007f']
])(
  "%s are encoded in time, into one encoder's length",
  (_name, text) => {
    const { ids, mask } = tokenizer.encode(text)
    expect(ids).toHaveLength(MAX_LENGTH)
    expect(mask[0]).toBe(1n)
    // Measured here: 60 ms for the long word, under 1 ms for the others; the limit is for busy machines.
  },
  30_000
)
