/**
 * The process that refused-resources.mjs refuses something: `node refused-child.mjs SCENARIO JSON`. It says what came of each
 * part in lines of JSON, and must then end by itself.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Pipeline, Stage, Tensor, WuerstchenError } from '../../../dist/index.js'
import { MODEL, VQ_DECODER } from './programs.mjs'

/** @typedef {any} Any */

const scenario = process.argv[2]
const options = JSON.parse(process.argv[3] ?? '{}')
const QUICK = { prompt: 'a cat', width: 128, height: 128, priorSteps: 2, decoderSteps: 1, seed: 1 }

const say = (/** @type {object} */ line) => writeSync(1, `${JSON.stringify(line)}\n`)

/**
 * Does something and says what came of it.
 * @template T
 * @param {string} part
 * @param {() => Promise<T>} work
 * @returns {Promise<T | undefined>}
 */
async function part(part, work) {
  try {
    const value = await work()
    say({ part, outcome: 'made' })
    return value
  } catch (error) {
    const system = /** @type {NodeJS.ErrnoException} */ (error)?.syscall
    if (WuerstchenError.is(error))
      say({ part, outcome: error.code === 'INTERNAL' ? 'internal' : 'typed', detail: `${error.code} ${error.message}` })
    else say({ part, outcome: system === undefined ? 'untyped' : "the system's", detail: String(error) })
    return undefined
  }
}

/** So many megabytes of addresses more than there are now. @param {number} megabytes */
function limitMemory(megabytes) {
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0])
  const bytes = pages * 4096 + megabytes * 2 ** 20
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(process.pid), `--as=${bytes}:unlimited`], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

/** @param {string} file */
function fillUp(file) {
  try {
    writeFileSync(file, Buffer.alloc(1 << 20))
  } catch {
    // That is what it is for.
  }
}

const freeMemory = () => spawnSync('prlimit', ['--pid', String(process.pid), '--as=unlimited'])

async function useModel(/** @type {Any} */ load = {}) {
  const pipeline = await part('load', () => Pipeline.load(MODEL, { threads: 1, dtype: 'float32', ...load }))
  if (pipeline !== undefined) {
    await part('image', () => pipeline.generate(QUICK))
    await part('dispose', () => pipeline.dispose())
  }
}

/** @type {Readonly<Record<string, () => Promise<void>>>} */
const SCENARIOS = {
  // Something else made the limit before this process began.
  use: () => useModel(options),

  async stage() {
    const stage = await part('load', () => Stage.load(VQ_DECODER, { threads: options.threads ?? 1 }))
    const latents = Tensor.from(new Float32Array(256), [1, 4, 8, 8])
    if (stage !== undefined) await part('run', () => stage.run([latents]))
    await stage?.dispose()
  },

  async 'memory for images'() {
    const pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32', maxBatch: 8 })
    await pipeline.generate(QUICK)
    limitMemory(options.megabytes)
    await part('images', () =>
      pipeline.generate({ ...QUICK, width: 1024, height: 1024, numImagesPerPrompt: 8, previews: 2, onPreview: () => {} })
    )
    freeMemory()
    await part('the next image', () => pipeline.generate(QUICK))
    await pipeline.dispose()
  },

  async 'memory for data()'() {
    const tensor = Tensor.from(new Uint8Array(400 << 20), [400 << 20])
    limitMemory(options.megabytes)
    const data = await part('data()', () => tensor.data())
    await part('to()', () => tensor.to('float32').then(each => each.dispose()))
    freeMemory()
    if (data === undefined) await part('the next data()', () => tensor.data())
  },

  async 'memory for loading'() {
    limitMemory(options.megabytes)
    await useModel()
    freeMemory()
    await part('the next load', () => Pipeline.load(MODEL, { threads: 1, dtype: 'float32' }).then(each => each.dispose()))
  },

  async files() {
    const most = readdirSync('/proc/self/fd').length - 1 + options.more
    spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${most}:1024`])
    await useModel()
  },

  async disk() {
    const pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32' })
    const { images } = await pipeline.generate({ ...QUICK, width: 512, height: 512 })
    const embeddings = await pipeline.prior({ prompt: 'a', width: 1024, height: 1024, priorSteps: 1, seed: 1 })
    await part('an image', () => /** @type {Any} */ (images[0]).toFile(join(options.folder, 'a.png')))
    fillUp(join(options.folder, 'full'))
    await part('embeddings', () => embeddings.toFile(join(options.folder, 'a.safetensors')))
    const left = readdirSync(options.folder).filter(name => name !== 'full')
    say({ part: 'files left', outcome: left.length === 0 ? 'made' : 'untyped', detail: left.join(' ') })
    await pipeline.dispose()
  }
}

say({ begin: true })
await /** @type {() => Promise<void>} */ (SCENARIOS[String(scenario)])()
say({ end: true })
