#!/usr/bin/env node
// node scripts/checks/plan.mjs MODEL_DIR [PROMPT] [DTYPE] > PLAN
// Writes the plan of build/wuerstchen-core (the whole loop without Node): an engine specification and a request with the model's
// defaults, one fact a line. cpp/tools/plan.h describes its format. Needs the TypeScript build.
import { loadAddon } from '../../dist/load/addon.js'
import { readModel } from '../../dist/model/directory.js'
import { TEXT_TO_IMAGE, verifiedPrograms } from '../../dist/model/programs.js'
import { selectArtefacts } from '../../dist/model/select.js'
import { readTokenizers } from '../../dist/pipeline/texts.js'
import { uniformTimesteps } from '../../dist/plan/timesteps.js'
/** @import { FloatDtype } from '../../dist/index.js' */

const [directory, prompt = '', dtype] = process.argv.slice(2)
if (directory === undefined) {
  console.error('usage: node scripts/checks/plan.mjs MODEL_DIR [PROMPT] [DTYPE]')
  process.exit(2)
}

const model = await readModel(directory)
const { cpuCapability, torchVersion } = loadAddon().runtimeInfo()
const choices = selectArtefacts(model.manifest, TEXT_TO_IMAGE, {
  device: 'cpu',
  dtype: /** @type {FloatDtype | undefined} */ (dtype), // what is no dtype has no artefact
  cpuCapability,
  gpuArch: undefined,
  torch: torchVersion
})
// The plan names files, so these descriptors are of no more use than the check.
const open = await verifiedPrograms(model, choices, true, () => {}, undefined)
const programs = open.specs
await open[Symbol.asyncDispose]()

const { latentMean, latentStd, scaleFactor, latentDimScale, scheduler } = model.manifest.constants
const lines = [`constants ${latentMean} ${latentStd} ${scaleFactor} ${latentDimScale}`]
/** @type {['prior', 'decoder']} */
const HALVES = ['prior', 'decoder']
for (const half of HALVES) lines.push(`scheduler ${half} ${scheduler[half].scaler} ${scheduler[half].s}`)
for (const [stage, { kind, dtype, storage, file, functions, libraries = {} }] of Object.entries(programs)) {
  lines.push(`program ${stage} ${kind} ${dtype} ${storage} ${file}`)
  for (const [name, { file, limits }] of Object.entries(libraries)) {
    lines.push(`library ${stage} ${name} ${file}`)
    for (const [symbol, { least, most, multipleOf }] of Object.entries(limits))
      lines.push(`limit ${stage} ${name} ${symbol} ${least} ${most} ${multipleOf}`)
  }
  for (const [name, { inputs, outputs }] of Object.entries(functions)) {
    for (const tensor of inputs) lines.push(`input ${stage} ${name} ${tensor.name} ${tensor.dtype} ${tensor.shape.join(' ')}`)
    for (const tensor of outputs) lines.push(`output ${stage} ${name} ${tensor.name} ${tensor.dtype} ${tensor.shape.join(' ')}`)
  }
}
const { priorTimesteps, priorGuidanceScale, decoderSteps, decoderGuidanceScale } = model.manifest.defaults
const tokenizers = await readTokenizers(model, true, undefined)
const defaults = {
  prior: { timesteps: priorTimesteps, guidanceScale: priorGuidanceScale },
  decoder: { timesteps: [...uniformTimesteps(decoderSteps)], guidanceScale: decoderGuidanceScale }
}
for (const half of HALVES) {
  const { timesteps, guidanceScale } = defaults[half]
  lines.push(`timesteps ${half} ${timesteps.join(' ')}`, `guidance ${half} ${guidanceScale}`)
  for (const text of guidanceScale > 1 ? [prompt, ''] : [prompt]) {
    const { ids, mask } = tokenizers[half].encode(text)
    lines.push(`text ${half}TextEncoder ${mask.filter(counts => counts === 1n).length} ${ids.join(' ')}`)
  }
}
console.log(lines.join('\n'))
