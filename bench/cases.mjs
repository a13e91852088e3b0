// What is compared. A case says what it is called, whether it can run here, and how one fresh process of it is run.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { boundOpenMpSpinning } from '../dist/load/openmp.js'
import { readModel } from '../dist/model/directory.js'
import { gridOf } from '../dist/model/size.js'
import { compileModel } from './models.mjs'
import { python, root } from './places.mjs'
import { interrupted, runLines, runText } from './process.mjs'

const CORE = join(root, 'build', 'wuerstchen-core')

export const LABELS = {
  eager: 'diffusers, eager',
  compiled: 'diffusers, torch.compile',
  torchscript: 'wuerstchen, TorchScript',
  aoti: 'wuerstchen, AOTInductor',
  core: 'C++ loop without Node'
}
export const CASES = Object.keys(LABELS)

/**
 * @returns the cases by name, each `{ run }` or `{ unavailable }`; `run(setting)` starts one fresh process and gives its `times`
 *   (`generate`: prompt to pixels, `total`: to PNG), `peakBytes`, and for whole programs `cold`: milliseconds until imported,
 *   loaded, first picture
 */
export async function prepareCases(names, { checkpoint, model, compiled, folder, common }) {
  const prepare = {
    eager: () => peer(checkpoint, common, null),
    compiled: () => peer(checkpoint, common, common.compileMode),
    torchscript: () => ours(model, common, 'torchscript'),
    aoti: async () => ours(compiled ?? (await compileModel(model, folder)), common, 'aoti'),
    core: () => core(model, common, folder)
  }
  const cases = {}
  for (const name of names) {
    cases[name] = await prepare[name]().catch(({ message }) => {
      interrupted.signal.throwIfAborted()
      return { unavailable: message }
    })
  }
  return cases
}

async function peer(checkpoint, common, compile) {
  await runText(python, ['-c', 'import diffusers, torch, transformers'])
  return {
    run: setting => whole(python, ['bench/peer.py', JSON.stringify({ checkpoint, ...common, ...setting, compile })], common.env)
  }
}

async function ours(model, common, kind) {
  return {
    async run(setting) {
      const result = await whole(
        process.execPath,
        ['bench/node.mjs', JSON.stringify({ model, ...common, ...setting })],
        common.env
      )
      if (result.kinds.join() !== kind)
        throw new Error(`Expected every stage to run as ${kind} but ${result.kinds.join(', ')} was chosen`)
      return result
    }
  }
}

async function whole(command, args, env) {
  const lines = await runLines(command, args, env)
  const at = event => lines.find(line => line.event === event).at
  const { times, peakBytes, kinds } = lines.at(-1)
  return { times, peakBytes, kinds, cold: { imported: at('imported'), loaded: at('loaded'), picture: at('picture') } }
}

/** The engine alone, on the portable programs: what the addon and Node add is the difference. */
async function core(model, common, folder) {
  if (!existsSync(CORE)) throw new Error(`Expected the loop without Node at ${CORE} but it has not been built`)
  const plan = join(folder, 'plan')
  await writeFile(plan, await runText(process.execPath, ['scripts/plan.mjs', model, common.prompt]))
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
      const lines = await runLines(CORE, args.map(String), env)
      return { times: { generate: lines.slice(common.warmUp).map(({ total }) => total) }, peakBytes: lines.at(-1).peakBytes }
    }
  }
}
