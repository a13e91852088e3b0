#!/usr/bin/env node
/**
 * Hostile texts: `node scripts/checks/hostile-texts.mjs [--count 5000] [--seed 1] [--characters] [--most 50] [--model DIRECTORY]
 * [--python FILE]`. Each is tokenized here and, where it is valid Unicode, by the tokenizers library of Hugging Face, which
 * transformers uses. `--characters` adds texts with all characters of Unicode. It ends with 1 where ids differ, there are
 * more than the encoder takes, or one text takes longer than `--most` milliseconds of a processor.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { TextTokenizer } from '../../dist/model/tokenizer.js'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { Random } from './attack/random.mjs'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    characters: { type: 'boolean', default: false },
    most: { type: 'string', default: '50' },
    model: { type: 'string', default: join(root, 'models', 'tiny') },
    python: { type: 'string', default: join(root, '.venv', 'bin', 'python') }
  }
})
const count = Number(values.count)
const MOST_MS = Number(values.most)
/** As a prompt may be (lib/plan/conditioning.ts). */
const LONGEST = 32_768

/** @param {Random} random @param {number} from @param {number} to */
const point = (random, from, to) => String.fromCodePoint(from + random.int(to - from + 1))
/** @param {Random} random @param {number} most @param {() => string} make */
const many = (random, most, make) => Array.from({ length: 1 + random.int(most) }, make).join('')

const WORDS = [
  'cat',
  'a',
  'photo of',
  "it's",
  "WE'LL",
  'naïve',
  'Ⅷ',
  '9½',
  'straße',
  'İstanbul',
  'ﬁne',
  'ǆ',
  'Å',
  '한국어',
  'สวัสดี'
]
const SPACES = [
  ' ',
  '\t',
  '\n',
  '\r',
  '\v',
  '\f',
  '\u0085',
  '\u00a0',
  '\u1680',
  '\u2003',
  '\u2028',
  '\u202f',
  '\u3000',
  '\u200b',
  '\ufeff'
]
const TOKENS = [
  '<|startoftext|>',
  '<|endoftext|>',
  '<|STARTOFTEXT|>',
  '<|endoftext|',
  '|>',
  '</w>',
  '<pad>',
  '[UNK]',
  '!',
  '##ing',
  '\u0120a'
]
const SIGNS = ["'s", "'t", "'RE", "'", '"', '`', '…', '—', '(', ')', ':', '::', '1.2', '@', '\\', '$', '&amp;', '<b>', '%00']

/** How often each comes, and a piece of it. @type {Readonly<Record<string, [number, (random: Random) => string]>>} */
const PIECES = {
  word: [6, random => random.pick(WORDS)],
  space: [4, random => random.pick(SPACES)],
  'name of a token': [3, random => random.pick(TOKENS)],
  sign: [4, random => random.pick(SIGNS)],
  ascii: [3, random => many(random, 12, () => point(random, 0x20, 0x7e))],
  control: [2, random => point(random, 0, 0x1f)],
  nul: [1, () => '\0'],
  'right to left': [2, random => `\u202e${many(random, 8, () => point(random, 0x5d0, 0x6ff))}\u202c`],
  'combining marks': [2, random => `e${many(random, 60, () => point(random, 0x300, 0x36f))}`],
  'marks of many classes': [
    2,
    random => `o${many(random, 12, () => random.pick(['\u0323', '\u0307', '\u0345', '\u05b0', '\u0f71', '\u3099', '\u0316']))}`
  ],
  hangul: [1, random => `${point(random, 0x1100, 0x1112)}${point(random, 0x1161, 0x1175)}${point(random, 0x11a8, 0x11c2)}`],
  'emoji of several': [2, random => many(random, 5, () => `${point(random, 0x1f600, 0x1f64f)}\u200d`)],
  flag: [1, random => many(random, 4, () => point(random, 0x1f1e6, 0x1f1ff))],
  'any of plane 0': [3, random => many(random, 6, () => random.pick([point(random, 0, 0xd7ff), point(random, 0xe000, 0xffff)]))],
  'any of other planes': [2, random => many(random, 4, () => point(random, 0x10000, 0x10ffff))],
  'half of a pair': [0.4, random => point(random, 0xd800, 0xdfff)],
  private: [1, random => point(random, 0xe000, 0xf8ff)]
}
const WEIGHTS = Object.fromEntries(Object.entries(PIECES).map(([name, [weight]]) => [name, weight]))

/** @param {number} index */
function textOf(index) {
  const random = new Random(Number(values.seed), index)
  const piece = () => PIECES[random.weighted(WEIGHTS)]?.[1](random) ?? ''
  // One in fifty is long, up to what a prompt may have.
  if (!random.chance(0.02)) return Array.from({ length: random.int(60) }, piece).join('')
  const some = Array.from({ length: 1 + random.int(8) }, piece).join('')
  return some.repeat(Math.ceil(2 ** (10 + random.int(6)) / some.length)).slice(0, LONGEST)
}

/** Each between letters, so that what it is shows in how many words there are. @returns {Generator<string>} */
function* characters() {
  const each = 8
  for (let from = 0; from < 0x110000; from += each) {
    if (from >= 0xd800 && from <= 0xdfff) continue
    yield Array.from({ length: each }, (_, index) => `x${String.fromCodePoint(from + index)}x`).join(' ')
  }
}

function* texts() {
  for (let index = 0; index < count; index++) yield textOf(index)
  if (values.characters) yield* characters()
}

const { tokenizers } = JSON.parse(readFileSync(join(values.model, 'wuerstchen.json'), 'utf8'))
const { file, maxLength, padTokenId } = tokenizers.priorTextEncoder
const path = join(values.model, file)
const tokenizer = new TextTokenizer(readFileSync(path), maxLength, padTokenId)

/** @type {{ text: string, ids: number[] }[]} */
const valid = []
/** @type {string[]} */
const faults = []
let [index, halves, longest, slowest] = [-1, 0, 0, 0]
for (const text of texts()) {
  index++
  const start = process.cpuUsage()
  const { ids, mask } = tokenizer.encode(text)
  const { user, system } = process.cpuUsage(start)
  const ms = (user + system) / 1000
  slowest = Math.max(slowest, ms)
  longest = Math.max(longest, text.length)
  if (ms > MOST_MS) faults.push(`text ${index} of ${text.length} characters takes ${ms.toFixed(0)} ms`)
  if (ids.length !== maxLength) faults.push(`text ${index} has ${ids.length} tokens`)
  if (!/\p{Surrogate}/u.test(text))
    valid.push({ text, ids: Array.from(ids.slice(0, Number(mask.reduce((sum, each) => sum + each, 0n))), Number) })
  else halves++
}

const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-texts-'))
try {
  const given = join(folder, 'texts.json')
  writeFileSync(given, JSON.stringify(valid.map(({ text }) => text)))
  const { status, stdout, stderr } = spawnSync(
    values.python,
    ['-m', 'checks.parity.hostile_texts', '--tokenizer', path, '--length', String(maxLength), given],
    { env: { ...process.env, PYTHONPATH: join(root, 'scripts') }, encoding: 'utf8', maxBuffer: 2 ** 30 }
  )
  if (status !== 0) throw new Error(`Expected ids from the reference but received: ${stderr.trim()}`)
  const expected = /** @type {number[][]} */ (JSON.parse(stdout))
  for (const [index, { text, ids }] of valid.entries())
    if (ids.join() !== expected[index]?.join()) faults.push(`other ids for ${JSON.stringify(text.slice(0, 200))}`)
} finally {
  rmSync(folder, { recursive: true })
}
for (const fault of faults.slice(0, 20)) console.log(`FAILS: ${fault}`)
console.log(
  `${index + 1} texts of up to ${longest} characters, seed ${values.seed}: ${valid.length} compared with the reference, ${halves} with half of a pair; the slowest took ${slowest.toFixed(1)} ms; ${faults.length} fail`
)
process.exitCode = faults.length === 0 ? 0 : 1
