// What is compared. A case says what it is called, whether it can run here, and how one fresh process of it is run.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { boundOpenMpSpinning } from '../dist/load/openmp.js'
import { readModel } from '../dist/model/directory.js'
import { gridOf } from '../dist/model/size.js'
import { compileModel } from './models.mjs'
import { python, root } from './places.mjs'
import { interrupted, messageOf, runLines, runText } from './process.mjs'

/**
 * @import { Environment } from './process.mjs'
 * @import { Sample } from './results.mjs'
 */

/** @typedef {'eager' | 'compiled' | 'torchscript' | 'aoti' | 'fast' | 'core'} CaseName */

/**
 * What all processes of a comparison have in common.
 * @typedef {{ prompt: string, threads: number, warmUp: number, runs: number, compileMode: string, env: Environment }} Common
 */

/** @typedef {{ width: number, height: number, batch: number }} Setting */

/**
 * `run` starts one fresh process, which writes the pixels of its last images to a file.
 * @typedef {{ run(setting: Setting & { pixels: string }): Promise<Sample> }} AvailableCase
 * @typedef {AvailableCase | { unavailable: string }} Case
 */

const CORE = join(root, 'build', 'wuerstchen-core')

// The preset `fast` of models/tiny: the random model has no presets.
const FAST = { priorSampler: 'dpm-solver++', priorSteps: 8, decoderSampler: 'dpm-solver++', decoderSteps: 4 }

/** @type {Record<CaseName, string>} */
export const LABELS = {
  eager: 'diffusers, eager',
  compiled: 'diffusers, torch.compile',
  torchscript: 'wuerstchen, TorchScript',
  aoti: 'wuerstchen, AOTInductor',
  fast: 'the same in 8 + 4 steps',
  core: 'C++ loop without Node'
}
/** Cases that make another image than the reference, with fewer operations. */
export const OTHER_IMAGES = /** @type {CaseName[]} */ (['fast'])
export const CASES = /** @type {CaseName[]} */ (Object.keys(LABELS))

/**
 * @param {CaseName[]} names
 * @param {{ checkpoint: string, model: string, compiled: string | undefined, folder: string, common: Common }} options
 * @returns {Promise<Map<CaseName, Case>>}
 */
export async function prepareCases(names, { checkpoint, model, compiled, folder, common }) {
  /** @type {Promise<string> | undefined} */
  let compiling
  const compiledModel = () => (compiling ??= compiled === undefined ? compileModel(model, folder) : Promise.resolve(compiled))
  /** @type {Record<CaseName, () => Promise<AvailableCase>>} */
  const prepare = {
    eager: () => peer(checkpoint, common, null),
    compiled: () => peer(checkpoint, common, common.compileMode),
    torchscript: () => ours(model, common, 'torchscript'),
    aoti: async () => ours(await compiledModel(), common, 'aoti'),
    fast: async () => ours(await compiledModel(), common, 'aoti', FAST),
    core: () => core(model, common, folder)
  }
  /** @type {Map<CaseName, Case>} */
  const cases = new Map()
  for (const name of names) {
    const prepared = await prepare[name]().catch(error => {
      interrupted.signal.throwIfAborted()
      return { unavailable: messageOf(error) }
    })
    cases.set(name, prepared)
  }
  return cases
}

/**
 * @param {string} checkpoint
 * @param {Common} common
 * @param {string | null} compile
 * @returns {Promise<AvailableCase>}
 */
async function peer(checkpoint, common, compile) {
  await runText(python, ['-c', 'import diffusers, torch, transformers'])
  return {
    run: setting => whole(python, ['bench/peer.py', JSON.stringify({ checkpoint, ...common, ...setting, compile })], common.env)
  }
}

/**
 * @param {string} model
 * @param {Common} common
 * @param {string} kind
 * @param {object} [sampling] parameters of `generate` that are not the reference's
 * @returns {Promise<AvailableCase>}
 */
async function ours(model, common, kind, sampling = {}) {
  return {
    async run(setting) {
      const result = await whole(
        process.execPath,
        ['bench/node.mjs', JSON.stringify({ model, sampling, ...common, ...setting })],
        common.env
      )
      if (result.kinds.join() !== kind)
        throw new Error(`Expected every stage to run as ${kind} but ${result.kinds.join(', ')} was chosen`)
      return result
    }
  }
}

/**
 * A whole program, from its start to its last image.
 * @param {string} command
 * @param {string[]} args
 * @param {Environment} env
 */
async function whole(command, args, env) {
  const lines = await runLines(command, args, env)
  /** @param {string} event */
  const at = event => lines.find(line => line.event === event)?.at ?? NaN
  const { times, peakBytes, kinds = [] } = /** @type {Sample & { kinds?: string[] }} */ (/** @type {unknown} */ (lines.at(-1)))
  return { times, peakBytes, kinds, cold: { imported: at('imported'), loaded: at('loaded'), picture: at('picture') } }
}

/**
 * The engine alone, on the portable programs: what the addon and Node add is the difference.
 * @param {string} model
 * @param {Common} common
 * @param {string} folder
 * @returns {Promise<AvailableCase>}
 */
async function core(model, common, folder) {
  if (!existsSync(CORE)) throw new Error(`Expected the loop without Node at ${CORE} but it has not been built`)
  const plan = join(folder, 'plan')
  await writeFile(plan, await runText(process.execPath, ['scripts/checks/plan.mjs', model, common.prompt]))
  const {
    manifest: { constants }
  } = await readModel(model)
  // What the addon's loader sets for its process.
  const env = { ...common.env }
  boundOpenMpSpinning(env)
  return {
    async run({ width, height, batch, pixels }) {
      const args = [
        plan,
        gridOf(height, constants),
        gridOf(width, constants),
        batch,
        common.threads,
        common.warmUp + common.runs,
        pixels
      ]
      const lines = /** @type {{ total: number, peakBytes: number }[]} */ (
        /** @type {unknown} */ (await runLines(CORE, args.map(String), env))
      )
      const generate = lines.slice(common.warmUp).map(({ total }) => total)
      return { times: { generate }, peakBytes: lines.at(-1)?.peakBytes ?? NaN }
    }
  }
}
