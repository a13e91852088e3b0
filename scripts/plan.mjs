#!/usr/bin/env node
// node scripts/plan.mjs MODEL_DIR [PROMPT] [DTYPE] > PLAN
// Writes the plan of build/wuerstchen-core (the whole loop without Node): an engine specification in plain words,
// one fact a line; its format is described in cpp/tools/plan.h. Needs the TypeScript build.
import { loadAddon } from '../dist/load/addon.js'
import { readModel } from '../dist/model/directory.js'
import { TEXT_TO_IMAGE, verifiedPrograms } from '../dist/model/programs.js'
import { selectArtefacts } from '../dist/model/select.js'
import { readTokenizers } from '../dist/pipeline/texts.js'

const [directory, prompt = '', dtype] = process.argv.slice(2)
if (directory === undefined) {
  console.error('usage: node scripts/plan.mjs MODEL_DIR [PROMPT] [DTYPE]')
  process.exit(2)
}

const model = await readModel(directory)
const { cpuCapability, torchVersion } = loadAddon().runtimeInfo()
const choices = selectArtefacts(model.manifest, TEXT_TO_IMAGE, {
  device: 'cpu',
  dtype,
  cpuCapability,
  gpuArch: undefined,
  torch: torchVersion
})
const programs = await verifiedPrograms(model, choices, true, () => {}, undefined)

const { latentMean, latentStd, scaleFactor, latentDimScale, scheduler } = model.manifest.constants
const lines = [`constants ${latentMean} ${latentStd} ${scaleFactor} ${latentDimScale}`]
for (const half of ['prior', 'decoder']) lines.push(`scheduler ${half} ${scheduler[half].scaler} ${scheduler[half].s}`)
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
const tokenizers = await readTokenizers(model, true, undefined)
for (const [encoder, text] of [
  ['prior', prompt],
  ['prior', ''],
  ['decoder', prompt]
]) {
  const { ids, mask } = tokenizers[encoder].encode(text)
  lines.push(`text ${encoder}TextEncoder ${mask.filter(counts => counts === 1n).length} ${ids.join(' ')}`)
}
console.log(lines.join('\n'))
