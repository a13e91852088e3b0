// node bench/full_size_stage.mjs FILE KIND DIR THREADS RUNS: one stage of the published size here. Started by full_size.mjs; arguments
// and output as in full_size_peer.py. `condition` runs once an image and is timed apart from `step`.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Stage } from '../dist/index.js'
import { readSafetensors } from '../dist/safetensors.js'

const [file, kind, directory, threads, runs] = process.argv.slice(2)
const before = process.memoryUsage.rss()
// Its checksum was verified when it was exported; reading 4 GB again would only fill the cache.
const stage = await Stage.load(file, { kind, verify: false, threads: Number(threads) })
const { condition, step } = stage.functions
const made = condition.outputs.map(({ name }) => name)
const given = [...new Set([...condition.inputs, ...step.inputs].map(({ name }) => name))].filter(name => !made.includes(name))
const { tensors } = await readSafetensors(join(directory, 'inputs.safetensors'), given)

const started = performance.now()
const conditions = await stage.run(condition.inputs.map(({ name }) => tensors[name]), 'condition')
const conditionTime = performance.now() - started
made.forEach((name, index) => { tensors[name] = conditions[index] })
const inputs = step.inputs.map(({ name }) => tensors[name])
const [result] = await stage.run(inputs, 'step')
// The profiling executor prepares itself in the first two calls.
await stage.run(inputs, 'step')
const residentBytes = process.memoryUsage.rss() - before
const times = []
for (let run = 0; run < Number(runs); run++) {
  const start = performance.now()
  for (const tensor of await stage.run(inputs, 'step')) tensor.dispose()
  times.push(performance.now() - start)
}
const data = await result.data()
await writeFile(join(directory, `${kind}.bin`), new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
console.log(JSON.stringify({ step: times, condition: conditionTime, residentBytes }))
await stage.dispose()
