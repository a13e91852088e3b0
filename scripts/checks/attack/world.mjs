/** What hostile-calls.mjs makes its calls on. */
import * as wuerstchen from '../../../dist/index.js'
import { loadAddon } from '../../../dist/load/addon.js'
import { BINDING } from './native-calls.mjs'
import { engineSpec, MODEL, programOf, VQ_DECODER } from './programs.mjs'
import { PUBLIC } from './public-calls.mjs'
/** @import { Any, World } from './call.mjs' */

const { Embeddings, Pipeline, Stage, Tensor, WuerstchenError } = wuerstchen
const QUICK = { prompt: 'a cat', width: 128, height: 128, priorSteps: 1, decoderSteps: 1 }

/** Whatever is missing of the world, made. @param {Partial<World>} world @returns {Promise<World>} */
export async function completed(world) {
  world.native ??= loadAddon()
  const { native } = world
  if (world.pipeline?.disposed ?? true) world.pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32', maxBatch: 2 })
  if (world.stage?.disposed ?? true) world.stage = await Stage.load(VQ_DECODER, { threads: 1 })
  if (world.tensor?.disposed ?? true) world.tensor = Tensor.from(new Float32Array(8), [2, 4])
  if (world.latents?.disposed ?? true) world.latents = Tensor.from(new Float32Array(256), [1, 4, 8, 8])
  if (world.embeddings?.disposed ?? true)
    world.embeddings = await /** @type {Any} */ (world.pipeline).prior({
      prompt: 'a',
      width: 128,
      height: 128,
      priorSteps: 1,
      seed: 1
    })
  world.image ??= (await /** @type {Any} */ (world.pipeline).generate(QUICK)).images[0]
  world.embeddingsFile ??= await /** @type {Any} */ (world.embeddings).toBuffer()
  if (!lives(() => native.engineStats(world.engineHandle))) {
    const { engine, loaded } = native.createEngine(engineSpec(), () => {})
    await loaded
    world.engineHandle = engine
  }
  if (!lives(() => native.tensorInfo(world.tensorHandle)))
    world.tensorHandle = native.createTensor(new Float32Array(8), [2, 4], 'float32')
  if (!lives(() => native.tensorInfo(world.latentsHandle)))
    world.latentsHandle = native.createTensor(new Float32Array(256), [1, 4, 8, 8], 'float32')
  if (world.stageHandle === undefined || !(await livesLater(() => native.runStage(world.stageHandle, 'nothing', []))))
    world.stageHandle = await native.loadStage(programOf('vqDecoder'), 'cpu', 1)
  world.gone ??= await goneValues(native)
  return /** @type {World} */ (world)
}

/** @param {Any} native */
async function goneValues(native) {
  const tensor = Tensor.from(new Float32Array(144), [1, 16, 3, 3])
  const embeddings = Embeddings.from(Tensor.from(new Float32Array(144), [1, 16, 3, 3]))
  const stage = await Stage.load(VQ_DECODER, { threads: 1 })
  const [tensorHandle, stageHandle] = [
    native.createTensor(new Uint8Array(1), [1], 'uint8'),
    await native.loadStage(programOf('vqDecoder'), 'cpu', 1)
  ]
  tensor.dispose()
  embeddings.dispose()
  await stage.dispose()
  native.disposeTensor(tensorHandle)
  await native.disposeStage(stageHandle)
  return { tensor, embeddings, stage, tensorHandle, stageHandle }
}

/** @param {() => unknown} use */
function lives(use) {
  try {
    use()
    return true
  } catch {
    return false
  }
}

/** A live stage complains about the function's name. @param {() => Promise<unknown>} use */
async function livesLater(use) {
  try {
    await use()
    return true
  } catch (error) {
    return WuerstchenError.is(error) && error.code !== 'DISPOSED'
  }
}

/** Functions of the package and the addon that no table has, so that a new one is not forgotten. @param {World} world */
export function notAttacked({ native }) {
  const named = new Set([...Object.values(PUBLIC), ...Object.values(BINDING)].map(({ method }) => method))
  // `exitNow` ends the process, as it should.
  const found = Object.keys(native).filter(name => name !== 'exitNow')
  for (const [name, value] of Object.entries(wuerstchen)) {
    if (typeof value !== 'function') continue
    if (!/^[A-Z]/.test(name)) found.push(name)
    else
      for (const owner of [value, value.prototype])
        found.push(
          ...Object.getOwnPropertyNames(owner).filter(
            each => typeof Object.getOwnPropertyDescriptor(owner, each)?.value === 'function'
          )
        )
  }
  return [...new Set(found)].filter(name => !named.has(name) && !['constructor', 'is', 'prototype'].includes(name))
}
