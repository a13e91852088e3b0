/** Random orders of using and disposing: nothing may be used after it is gone, and every promise settles. */
import { Embeddings, Stage, Tensor } from '../../../dist/index.js'
import { VQ_DECODER } from './programs.mjs'
/** @import { Random } from './random.mjs' */
/** @import { World } from './call.mjs' */

/** @typedef {any} Any */

/** A pool of what is alive or not, and promises that nobody has awaited. */
class Pool {
  /** @type {Any[]} */ tensors = []
  /** @type {Any[]} */ stages = []
  /** @type {Any[]} */ embeddings = []
  /** @type {Any[]} */ handles = []
  /** @type {Promise<unknown>[]} */ pending = []

  /** @param {Promise<Any>} promise @param {Any[]} [into] */
  keep(promise, into) {
    this.pending.push(into === undefined ? promise : promise.then(value => void into.push(...[value].flat())))
  }
}

const QUICK = { prompt: 'a', width: 128, height: 128, priorSteps: 1, decoderSteps: 1, seed: 1 }

/** @type {Readonly<Record<string, (pool: Pool, world: World, random: Random) => unknown>>} */
const STEPS = {
  tensor: pool => pool.tensors.push(Tensor.from(new Float32Array(256), [1, 4, 8, 8])),
  grid: pool => pool.tensors.push(Tensor.from(new Float32Array(144), [1, 16, 3, 3])),
  handle: (pool, { native }) => pool.handles.push(native.createTensor(new Float32Array(256), [1, 4, 8, 8], 'float32')),
  stage: pool => pool.keep(Stage.load(VQ_DECODER, { threads: 1 }), pool.stages),
  run: (pool, world, random) =>
    pool.keep(pick(random, pool.stages, world.stage).run([pick(random, pool.tensors, world.latents)]), pool.tensors),
  wrap: (pool, world, random) => pool.embeddings.push(Embeddings.from(pick(random, pool.tensors, world.latents))),
  prior: (pool, world) => pool.keep(world.pipeline.prior(QUICK), pool.embeddings),
  decode: (pool, world, random) =>
    pool.keep(world.pipeline.decode(pick(random, pool.embeddings, world.embeddings), { decoderSteps: 1 })),
  mix: (pool, world, random) =>
    pool.keep(Embeddings.mix([pick(random, pool.embeddings, world.embeddings), world.embeddings]), pool.embeddings),
  generate: (pool, world, random) =>
    pool.keep(
      world.pipeline.generate({ ...QUICK, ...(random.chance(0.5) ? { signal: AbortSignal.timeout(random.int(30)) } : {}) })
    ),
  latents: (pool, world, random) =>
    pool.keep(world.pipeline.generate({ ...QUICK, latents: pick(random, pool.tensors, world.latents) })),
  decodeLatents: (pool, world, random) => pool.keep(world.pipeline.decodeLatents(pick(random, pool.tensors, world.latents))),
  to: (pool, world, random) =>
    pool.keep(pick(random, pool.tensors, world.tensor).to(random.pick(['float16', 'float64', 'cpu'])), pool.tensors),
  data: (pool, world, random) => pool.keep(pick(random, pool.tensors, world.tensor).data()),
  nativeRun: (pool, world, random) =>
    pool.keep(
      world.native.runStage(world.stageHandle, 'forward', [pick(random, pool.handles, world.latentsHandle)]),
      pool.handles
    ),
  nativeData: (pool, world, random) => pool.keep(world.native.tensorData(pick(random, pool.handles, world.tensorHandle))),
  disposeTensor: (pool, world, random) => pick(random, pool.tensors, world.tensor).dispose(),
  disposeEmbeddings: (pool, world, random) => pick(random, pool.embeddings, world.embeddings).dispose(),
  disposeHandle: (pool, world, random) => world.native.disposeTensor(pick(random, pool.handles, world.tensorHandle)),
  disposeStage: (pool, world, random) => pool.keep(pick(random, pool.stages, world.stage).dispose()),
  settle: pool => Promise.allSettled(pool.pending),
  forget: pool => void pool.tensors.splice(0),
  collect: () => /** @type {Any} */ (globalThis).gc?.(),
  turn: () => new Promise(resolve => setImmediate(resolve))
}

/** @template T @param {Random} random @param {readonly T[]} list @param {T} otherwise @returns {T} */
const pick = (random, list, otherwise) => (list.length === 0 ? otherwise : random.pick(list))

/**
 * @param {Random} random @param {World} world @param {(error: unknown) => void} judge of whatever a step throws
 * @returns {Promise<string>} the steps
 */
export async function interleave(random, world, judge) {
  const pool = new Pool()
  const names = Array.from({ length: 4 + random.int(12) }, () => random.pick(Object.keys(STEPS)))
  for (const name of names) {
    try {
      const result = /** @type {NonNullable<typeof STEPS[string]>} */ (STEPS[name])(pool, world, random)
      // A rejection that is looked at later is still looked at.
      for (const promise of pool.pending) promise.catch(() => {})
      if (result instanceof Promise) await result
    } catch (error) {
      judge(error)
    }
  }
  for (const { status, ...rest } of await Promise.allSettled(pool.pending))
    if (status === 'rejected') judge(/** @type {Any} */ (rest).reason)
  await Promise.all(pool.stages.map(stage => stage.dispose()))
  for (const each of [...pool.tensors, ...pool.embeddings]) each.dispose()
  return names.join(' ')
}
