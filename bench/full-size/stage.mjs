// node bench/full-size/stage.mjs FILE KIND DIR THREADS RUNS: one stage of the published size here, on the device that its program
// was made for. compare.mjs starts it; arguments and output as in peer.py. `condition` runs once an image and is timed apart.
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Stage } from '../../dist/index.js'
import { readSafetensors } from '../../dist/values/safetensors.js'
/** @import { FunctionSpec } from '../../dist/index.js' */

const [file, kind, directory, threads, runs] = process.argv.slice(2)
if (file === undefined || directory === undefined || (kind !== 'torchscript' && kind !== 'aoti'))
  throw new Error('Expected FILE, torchscript or aoti, DIR, THREADS and RUNS')
const onGpu = file.endsWith('.cuda.pt')
const before = usedBytes()
// Its checksum was verified when it was exported; reading 4 GB again would only fill the cache.
const stage = await Stage.load(file, { kind, verify: false, threads: Number(threads) })
const { condition, step } = stage.functions
if (condition === undefined || step === undefined) throw new Error('Expected a program with condition and step')
const made = condition.outputs.map(({ name }) => name)
const given = [...condition.inputs, ...step.inputs].filter(({ name }) => !made.includes(name))
const { tensors } = await readSafetensors(join(directory, 'inputs.safetensors'), [...new Set(given.map(({ name }) => name))])
for (const { name, dtype } of given) tensors[name] = await (await tensorNamed(name).to(stage.device)).to(dtype)

// The first calls choose kernels; on a CPU that is next to nothing, and a second call of condition would cost half a second.
if (onGpu) for (const tensor of await stage.run(inputsOf(condition), 'condition')) tensor.dispose()
const started = performance.now()
const conditions = await stage.run(inputsOf(condition), 'condition')
const conditionTime = performance.now() - started
for (const [index, tensor] of conditions.entries()) tensors[made[index] ?? ''] = tensor
const inputs = inputsOf(step)
const [result] = await stage.run(inputs, 'step')
if (result === undefined) throw new Error('Expected a step to predict noise')
const used = usedBytes() - before
const times = []
for (let run = -1; run < Number(runs); run++) {
  const start = performance.now()
  for (const tensor of await stage.run(inputs, 'step')) tensor.dispose()
  times.push(performance.now() - start)
}
const data = await (await result.to('float32')).data()
await writeFile(join(directory, `${kind}.bin`), new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
console.log(JSON.stringify({ step: times.slice(1), condition: conditionTime, usedBytes: used }))
await stage.dispose()

/** @param {string} name */
function tensorNamed(name) {
  const tensor = tensors[name]
  if (tensor === undefined) throw new Error(`Expected ${name} in inputs.safetensors, or made by condition`)
  return tensor
}

/** @param {FunctionSpec} spec */
function inputsOf({ inputs }) {
  return inputs.map(({ name }) => tensorNamed(name))
}

/** Of this process, or of the whole GPU. */
function usedBytes() {
  if (!onGpu) return process.memoryUsage.rss()
  const { stdout } = spawnSync('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--id=0'], {
    encoding: 'utf8'
  })
  return Number(stdout) * 2 ** 20
}
