/**
 * Refuses single requests for memory, of LibTorch and of the addon, by number. This file is both sides: refused-resources.mjs
 * calls `refuseAllocations`, which runs it again in children that refuse-memory.cc is preloaded into.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Pipeline, WuerstchenError } from '../../../dist/index.js'
import { runCases, serveCases } from './children.mjs'
import { MODEL } from './programs.mjs'
import { Random } from './random.mjs'

/** @typedef {import('../../../dist/index.js').Pipeline} Loaded */

/** What is refused, and from how many bytes on. refuse-memory.cc says what counts as whose. */
const GROUPS = {
  LibTorch: { group: 0, least: 4096 },
  addon: { group: 1, least: 512 },
  'addon, any size': { group: 1, least: 1 }
}
const PHASES = ['load', 'image', 'encode', 'data']
const QUICK = {
  prompt: 'a cat',
  width: 128,
  height: 128,
  priorSteps: 2,
  decoderSteps: 1,
  seed: 1,
  previews: 1,
  onPreview: () => {}
}
const GREY = { data: new Uint8Array(128 * 128).fill(99), width: 128, height: 128 }
const SETTLE_MS = 20_000

/** @param {number} seed @param {number} index */
function siteOf(seed, index) {
  const random = new Random(seed, index)
  const group = /** @type {keyof typeof GROUPS} */ (Object.keys(GROUPS)[index % 3])
  const phase = random.pick(PHASES)
  return { group, phase, at: random.next(), sustained: random.chance(0.3) }
}

/** @param {{ folder: string, sites: number, seed: number }} options */
export async function refuseAllocations({ folder, sites, seed }) {
  const library = join(folder, 'refuse-memory.so')
  const source = fileURLToPath(new URL('refuse-memory.cc', import.meta.url))
  execFileSync('g++', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'])
  return runCases({
    script: fileURLToPath(import.meta.url),
    args: [String(seed), folder],
    wrapper: ['env', `LD_PRELOAD=${library}`, `WUERSTCHEN_REFUSE=${folder}`],
    cases: Array.from({ length: sites }, (_, index) => index),
    kindOf: index => {
      const { group, phase, sustained } = siteOf(seed, index)
      return `allocation of ${group}, ${phase}${sustained ? ', all after it' : ''}`
    },
    limitMs: 60_000,
    lanes: 1
  })
}

/** The numbers that refuse-memory.cc maps. */
class Control {
  #file

  /** @param {string} folder */
  constructor(folder) {
    this.#file = openSync(join(folder, String(process.pid)), 'r+')
  }

  /** @param {{ group: number, least: number }} group @param {number} countdown @param {boolean} sustained */
  arm({ group, least }, countdown, sustained) {
    this.#write([1, group, least, countdown, sustained ? 1 : 0, 0, 0])
  }

  /** @returns {{ seen: number, refused: number }} */
  disarm() {
    const bytes = Buffer.alloc(56)
    this.#write([0])
    readSync(this.#file, bytes, 0, 56, 0)
    return { seen: Number(bytes.readBigInt64LE(40)), refused: Number(bytes.readBigInt64LE(48)) }
  }

  /** @param {readonly number[]} numbers */
  #write(numbers) {
    writeSync(this.#file, BigInt64Array.from(numbers, BigInt), 0, numbers.length * 8, 0)
  }
}

async function serve() {
  const [seed, folder] = /** @type {[string, string]} */ (process.argv.slice(3))
  const control = new Control(folder)
  const load = () => Pipeline.load(MODEL, { threads: 1, dtype: 'float32' })
  const pipeline = await load()
  const hashOf = async () => {
    const { images } = await pipeline.generate(QUICK)
    return createHash('sha256')
      .update(/** @type {{ data: Uint8Array }} */ (images[0]).data)
      .digest('hex')
  }
  const expected = await hashOf()
  /** @type {Readonly<Record<string, () => Promise<unknown>>>} */
  const work = {
    load: async () => (await load()).dispose(),
    image: hashOf,
    encode: async () => (await pipeline.encodeImage(GREY)).dispose(),
    data: async () => {
      const latents = await pipeline.encodeLatents(GREY)
      await latents.data()
      latents.dispose()
    }
  }
  // How many requests each part makes, so that every site is one.
  /** @type {Record<string, number>} */
  const counts = {}
  for (const [name, group] of Object.entries(GROUPS)) {
    for (const phase of PHASES) {
      control.arm(group, Number.MAX_SAFE_INTEGER, false)
      await work[phase]?.()
      counts[name + phase] = control.disarm().seen
    }
  }
  serveCases(async (index, note) => {
    const { group, phase, at, sustained } = siteOf(Number(seed), index)
    const most = counts[group + phase] ?? 0
    const number = 1 + Math.floor(at * most)
    note(`${number} of ${most}`)
    control.arm(GROUPS[group], number, sustained)
    const outcome = await Promise.race([
      outcomeOf(/** @type {() => Promise<unknown>} */ (work[phase])),
      sleep(SETTLE_MS, { outcome: 'never settles', detail: '' }, { ref: false })
    ])
    const { refused } = control.disarm()
    const detail = `${number} of ${most}, ${refused} refused ${outcome.detail}`
    if (outcome.outcome === 'never settles') return { ...outcome, detail, spoiled: true }
    try {
      if ((await hashOf()) !== expected) return { outcome: 'other image', detail, spoiled: true }
    } catch (error) {
      return { outcome: 'untyped', detail: `${detail}, and the next image fails: ${error}`, spoiled: true }
    }
    return { outcome: refused === 0 ? 'not reached' : outcome.outcome, detail }
  })
}

/** @param {() => Promise<unknown>} work */
async function outcomeOf(work) {
  try {
    await work()
    return { outcome: 'made', detail: '' }
  } catch (error) {
    if (!WuerstchenError.is(error)) return { outcome: 'untyped', detail: String(error) }
    return { outcome: error.code === 'INTERNAL' ? 'internal' : 'typed', detail: `${error.code} ${error.message.slice(0, 150)}` }
  }
}

if (process.argv[2] === '--child') await serve()
