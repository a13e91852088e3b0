#!/usr/bin/env node
/**
 * Small calls of every kind, one after the other and side by side, for as long as asked, while it looks at what grows:
 * `node --expose-gc scripts/checks/soak.mjs [--count 500] [--seed 1] [--to build/soak.jsonl]`; a day's worth is `--count
 * 20000`. It ends with 1 where memory grows by more than 1 KB a call after the first fifth, the last tenth takes more than 1.2
 * times as long as the first, or threads, files or native objects are left.
 */
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Embeddings, Pipeline, WuerstchenError } from '../../dist/index.js'
import { loadAddon } from '../../dist/load/addon.js'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { Random } from './attack/random.mjs'
import { MODEL } from './attack/programs.mjs'
/** @import { GenerateOptions } from '../../dist/index.js' */

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    to: { type: 'string', default: join(root, 'build', 'soak.jsonl') }
  }
})
const count = Number(values.count)
const random = new Random(Number(values.seed))

/** Twelve sizes, so that shapes come and go and come again. */
const SIZES = [128, 256, 384].flatMap(width => [128, 256, 384, 512].map(height => ({ width, height })))
const LONGEST_SIGNAL = new AbortController().signal
/** Bytes of resident memory a call, and the time of the last tenth beside that of the first. */
const [MOST_BYTES, MOST_RATIO] = [1024, 1.2]

/** @param {() => Promise<unknown>} work something that must fail, typed */
async function fail(work) {
  try {
    await work()
  } catch (error) {
    if (!WuerstchenError.is(error)) throw error
    return
  }
  throw new Error('what should have failed did not')
}

/** @typedef {import('../../dist/index.js').Pipeline} Loaded */

const image = () => {
  const { width, height } = random.pick(SIZES)
  return { data: new Uint8Array(width * height * 3).fill(random.int(256)), width, height }
}

/** @returns {GenerateOptions} */
const options = () => ({
  prompt: `a photo of number ${random.int(1000)}`,
  ...random.pick(SIZES),
  priorSteps: 1 + random.int(3),
  decoderSteps: 1 + random.int(2),
  numImagesPerPrompt: 1 + random.int(3),
  signal: LONGEST_SIGNAL
})

/** How often each comes, and what it does. @type {Readonly<Record<string, [number, (pipeline: Loaded) => Promise<unknown>]>>} */
const CALLS = {
  generate: [8, pipeline => pipeline.generate(options())],
  batch: [3, pipeline => Promise.all(Array.from({ length: 4 }, () => pipeline.generate(options())))],
  previews: [2, pipeline => pipeline.generate({ ...options(), previews: 2, onPreview: () => {} })],
  file: [1, async pipeline => (await pipeline.generate(options())).images[0]?.toBuffer('webp')],
  aborted: [
    2,
    async pipeline => {
      const signal = AbortSignal.timeout(random.int(20))
      await pipeline.generate({ ...options(), priorSteps: 50, signal }).catch(error => {
        if (error.name !== 'TimeoutError') throw error
      })
    }
  ],
  failure: [1, pipeline => fail(() => pipeline.generate({ ...options(), width: -1 }))],
  'broken file': [1, () => fail(() => Embeddings.load(new Uint8Array(64)))],
  embeddings: [
    2,
    async pipeline => {
      const embeddings = await pipeline.prior({ prompt: 'a cat', ...random.pick(SIZES), priorSteps: 1, seed: 1 })
      const again = await Embeddings.load(await embeddings.toBuffer())
      await pipeline.decode(again, { decoderSteps: 1 })
      for (const each of [embeddings, again]) each.dispose()
    }
  ],
  stream: [
    1,
    async pipeline => {
      for await (const { type } of pipeline.stream(options())) if (type === 'step' && random.chance(0.3)) break
    }
  ],
  vary: [1, pipeline => pipeline.vary(image(), { strength: 0.5, ...random.pick(SIZES), priorSteps: 2, decoderSteps: 1 })],
  reconstruct: [1, pipeline => pipeline.reconstruct(image(), { ...random.pick(SIZES), decoderSteps: 1 })],
  latents: [
    1,
    async pipeline => {
      const latents = await pipeline.encodeLatents(image(), { width: 128, height: 128 })
      await pipeline.decodeLatents(latents)
      latents.dispose()
    }
  ]
}
const WEIGHTS = Object.fromEntries(Object.entries(CALLS).map(([name, [weight]]) => [name, weight]))

/** What the process holds. */
async function sample() {
  // Finalizers run in a turn of their own.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return {
    rss,
    heapUsed,
    external,
    arrayBuffers,
    fds: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    objects: loadAddon().liveObjects()
  }
}

/** Least squares. @param {readonly [x: number, y: number][]} points */
function slope(points) {
  const mean = (/** @type {readonly number[]} */ list) => list.reduce((sum, each) => sum + each, 0) / list.length
  const [x, y] = [mean(points.map(([each]) => each)), mean(points.map(([, each]) => each))]
  return points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0) / points.reduce((sum, [px]) => sum + (px - x) ** 2, 0)
}

if (globalThis.gc === undefined) throw new Error('Expected node --expose-gc: else what is garbage counts as held')
mkdirSync(dirname(values.to), { recursive: true })
writeFileSync(values.to, '')
const before = await sample()
const pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32' })
const probe = { prompt: 'a cat', width: 256, height: 256, priorSteps: 4, decoderSteps: 2, seed: 1 }

/** @type {({ done: number } & Awaited<ReturnType<typeof sample>>)[]} */
const samples = []
/** How long the same call took in each tenth, in milliseconds. @type {number[][]} */
const times = Array.from({ length: 10 }, () => [])
/** The first hash that the same call gave. @type {Buffer | undefined} */
let first
for (let done = 0; done < count; done++) {
  const name = random.weighted(WEIGHTS)
  await CALLS[name]?.[1](pipeline)
  if (done % Math.max(1, Math.floor(count / 200)) === 0) {
    const start = performance.now()
    const [made] = (await pipeline.generate(probe)).images
    times[Math.floor((done * 10) / count)]?.push(performance.now() - start)
    const data = Buffer.from(made?.data ?? [])
    first ??= data
    if (!first.equals(data)) throw new Error(`the same call gave another image after ${done} calls`)
  }
  if (done % Math.max(1, Math.floor(count / 100)) === 0) {
    const now = { done, ...(await sample()) }
    samples.push(now)
    appendFileSync(values.to, `${JSON.stringify(now)}\n`)
  }
}
await pipeline.dispose()
const after = await sample()

const median = (/** @type {readonly number[]} */ list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN
const warm = samples.filter(({ done }) => done >= count / 5)
const of = (/** @type {'rss' | 'heapUsed' | 'external'} */ what) => slope(warm.map(each => [each.done, each[what]]))
const ratio = median(times.at(-1) ?? []) / median(times[0] ?? [])
const megabytes = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(1)
const last = /** @type {typeof samples[number]} */ (samples.at(-1))
console.log(`${count} calls, seed ${values.seed}, ${samples.length} samples in ${values.to}`)
console.log('calls    RSS MiB  heap MiB  external  fds  threads  native objects')
for (const each of samples.filter((_, index) => index % 10 === 0 || index === samples.length - 1))
  console.log(
    `${String(each.done).padEnd(7)} ${[
      megabytes(each.rss),
      megabytes(each.heapUsed),
      megabytes(each.external),
      each.fds,
      each.threads
    ]
      .map(cell => String(cell).padStart(8))
      .join(' ')}  ${JSON.stringify(each.objects)}`
  )
console.log(
  `after the pipeline: ${megabytes(after.rss)} MiB, ${after.threads} threads, ${after.fds} files, ${JSON.stringify(after.objects)}`
)
console.log(
  `slope from ${Math.ceil(count / 5)} on, bytes a call: RSS ${of('rss').toFixed(0)}, heap ${of('heapUsed').toFixed(0)}, external ${of('external').toFixed(0)}`
)
console.log(
  `median of the same call by tenths, ms: ${times.map(each => median(each).toFixed(1)).join(' ')}; last / first ${ratio.toFixed(2)}`
)

/** @type {string[]} */
const faults = []
// Over fewer calls, an allocator's own steps are steeper than any leak.
if (count >= 5000 && of('rss') > MOST_BYTES) faults.push('RSS grows')
if (count >= 2000 && of('heapUsed') > MOST_BYTES) faults.push('the heap grows')
if (count >= 5000 && ratio > MOST_RATIO) faults.push('it becomes slower')
if (last.fds > /** @type {typeof samples[number]} */ (warm[0]).fds + 2) faults.push('files stay open')
if (last.threads > /** @type {typeof samples[number]} */ (warm[0]).threads + 2) faults.push('threads stay')
// The environment's own thread for copies of tensors may stay.
const left = Object.entries(after.objects ?? {}).filter(
  ([name, number]) => number > (before.objects?.[name] ?? 0) + (name === 'threads' ? 1 : 0)
)
if (left.length > 0) faults.push(`native objects are left: ${JSON.stringify(Object.fromEntries(left))}`)
console.log(faults.length === 0 ? 'nothing grows' : `FAILS: ${faults.join(', ')}`)
process.exitCode = faults.length === 0 ? 0 : 1
