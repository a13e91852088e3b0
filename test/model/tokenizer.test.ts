import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sortLongRuns } from '../../lib/model/marks.js'
import { parseTokenizer } from '../../lib/model/tokenizer-file.js'
import { TextTokenizer } from '../../lib/model/tokenizer.js'
import { root } from '../support/small-model.js'

const MOST = 32_768
const bytes = readFileSync(join(root, 'models', 'tiny', 'prior_tokenizer.json'))
const json = JSON.parse(bytes.toString('utf8')) as Record<string, unknown> & { model: Record<string, unknown> }
const edited = (edit: Record<string, unknown>) => Buffer.from(JSON.stringify({ ...json, ...edit }))
const tokenizer = new TextTokenizer(bytes, 77, 0)
/** Room for every token of the texts below, so that nothing of them is left out. */
const whole = new TextTokenizer(bytes, 20_000, 0)

const letters: Record<string, string> = {
  'one letter': 'x',
  'two letters': 'lo',
  'words without spaces': 'aphotoofaredheartonawoodentable',
  digits: '0123456789',
  emoji: '😀😁🐱❤️👩‍👩‍👧',
  Chinese: '天地玄黄宇宙洪荒',
  Hangul: '한글조선말',
  Jamo: '\u1112\u1161\u11ab',
  'combining marks': '\u0301\u0323\u0345\u0334\u064b\u05b0',
  'letters with marks': 'e\u0301o\u0323\u0301H\u0331',
  signs: "!?'.,<|>-",
  contractions: "'s't're've'm'll'd",
  'upper case': 'ΣAÉİ',
  'lone surrogates': '\ud83d\udc31\udc31',
  specials: '<|endoftext|><|startoftext|>',
  everything: "aé天1 \t😀\u0301\u00ad\ufeff\u0085's<|endoftext|>"
}

describe('a long text has the tokens of the whole text, cut where the encoder ends', () => {
  const same = (text: string) => {
    const { ids, mask } = tokenizer.encode(text)
    const all = whole.encode(text)
    const length = [...all.mask].filter(counts => counts === 1n).length
    const cut = length <= 77 ? [...all.ids.slice(0, 77)] : [...all.ids.slice(0, 76), all.ids[length - 1]!]
    expect([...ids].join(), JSON.stringify(text)).toBe(cut.join())
    expect(mask.filter(counts => counts === 1n)).toHaveLength(Math.min(length, 77))
    expect(tokenizer.encode(text).removed !== '', JSON.stringify(text)).toBe(length > 77)
  }

  test.each(Object.entries(letters))('%s', (_name, text) => {
    same(text.repeat(2000 / text.length))
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...text), { minLength: 300, maxLength: 2000 }), parts => same(parts.join(''))),
      { numRuns: 20 }
    )
  })

  test('letters of all kinds, mixed', () => {
    const any = fc.constantFrom(...Object.values(letters))
    fc.assert(
      fc.property(fc.array(fc.tuple(any, fc.integer({ min: 1, max: 40 })), { minLength: 5, maxLength: 30 }), parts =>
        same(
          parts
            .map(([text, times]) => text.repeat(times))
            .join('')
            .slice(0, 3000)
        )
      ),
      { numRuns: 60 }
    )
  })
})

describe(`a text of ${MOST} characters is tokenized in time`, () => {
  test.each(Object.entries({ ...letters, spaces: ' ', 'spaces and letters': 'a ', 'short words': 'a photo of a cat, ' }))(
    '%s',
    (_name, text) => {
      const long = text.repeat(Math.ceil(MOST / text.length)).slice(0, MOST)
      tokenizer.encode(long)
      const before = process.cpuUsage()
      tokenizer.encode(long)
      const { user, system } = process.cpuUsage(before)
      // Measured here: up to 10 ms, and up to 35 ms for combining marks. When all of a text was tokenized, emoji took 475 ms.
      expect((user + system) / 1000).toBeLessThan(50)
    }
  )
})

test('what was cut off is the end of the text', () => {
  expect(tokenizer.encode(`${'red '.repeat(100)}heart`).removed).toMatch(/^red (red )+heart$/)
  expect(tokenizer.encode('z'.repeat(5000)).removed).toMatch(/^z{4500,5000}$/)
  expect(tokenizer.encode('1'.repeat(200)).removed.replaceAll(' ', '')).toBe('1'.repeat(125))
})

describe('long runs of marks', () => {
  const classes = fc.constantFrom(
    ...'\u0334\u{16ff0}\u093c\u3099\u094d\u05b0\u064b\u0670\u0c55\u0e38\u0f71\u0f74\u0321\u031b\u0316\u302e\u{1d16d}\u05ae\u0301\u0300\u0344\u0315\u035c\u0345\u0903\u0488'
  )

  test('are sorted as Unicode normalization sorts them', () => {
    fc.assert(
      fc.property(fc.array(classes, { minLength: 32, maxLength: 200 }), marks => {
        const text = `ae${marks.join('')}ob`
        for (const form of ['NFC', 'NFD'] as const) expect(sortLongRuns(text).normalize(form)).toBe(text.normalize(form))
      }),
      { numRuns: 500 }
    )
  })

  test('are normalized at once when they are sorted', () => {
    const text = sortLongRuns(`e${'\u0301\u0323\u0345'.repeat(10_000)}`)
    const before = process.cpuUsage()
    text.normalize('NFC')
    // Unsorted, 300 ms.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(50)
  })
})

describe('what is no tokenizer is refused', () => {
  const deep = (levels: number) => Buffer.from(`{"normalizer":${'['.repeat(levels)}${']'.repeat(levels)}}`)
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['another JSON', Buffer.from('[]')],
    ['a nested one', deep(200_000)],
    ['a nested one that was cut', Buffer.from('['.repeat(1_000_000))],
    ['another model', edited({ model: { ...json.model, type: 'Unigram' } })],
    ['no end of words', edited({ model: { ...json.model, end_of_word_suffix: null } })],
    ['an id that is none', edited({ model: { ...json.model, vocab: { a: -1 } } })],
    ['an id that is too large', edited({ model: { ...json.model, vocab: { a: 4e9 } } })],
    ['a list for a vocabulary', edited({ model: { ...json.model, vocab: [] } })],
    ['merges of three', edited({ model: { ...json.model, merges: ['a b c'] } })],
    ['merges of numbers', edited({ model: { ...json.model, merges: [[1, 2]] } })],
    ['an empty added token', edited({ added_tokens: [{ id: 1, content: '' }] })],
    ['no added tokens', edited({ added_tokens: undefined })],
    ['no start and end', edited({ post_processor: null })],
    ['a vocabulary without its bytes', edited({ model: { ...json.model, vocab: { zz: 0 }, merges: [], unk_token: null } })]
  ])('%s', (_name, file) => {
    expect(() => new TextTokenizer(file, 77, 0)).toThrow(Error)
    expect(() => new TextTokenizer(file, 77, 0)).not.toThrow(RangeError)
  })

  test('a padding token that the vocabulary does not have', () => {
    const { vocabulary } = parseTokenizer(bytes)
    expect(vocabulary).toBe(1178)
    expect(() => new TextTokenizer(bytes, 77, vocabulary)).toThrow('padTokenId is 1178')
    expect(new TextTokenizer(bytes, 77, vocabulary - 1).encode('').ids[76]).toBe(1177n)
  })
})
