/**
 * Runs one stage of a model directory in Node on the tensors of inputs.safetensors and writes what the last function
 * gives: `node bench/full-size/check-stage.mjs FILE DIRECTORY`, started by check.py. Prints one line of JSON.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Stage } from '../../dist/index.js'
import { readSafetensors } from '../../dist/values/safetensors.js'
/** @import { Dtype, Tensor } from '../../dist/index.js' */

/** @param {Tensor | undefined} tensor @param {Dtype} dtype */
async function asDtype(tensor, dtype) {
  if (tensor === undefined) throw new Error('Expected every input in inputs.safetensors, or made by the function before')
  return tensor.dtype === dtype ? tensor : await tensor.to(dtype)
}

/**
 * @template T
 * @param {() => Promise<T>} action
 */
async function timed(action) {
  const start = performance.now()
  const result = await action()
  return { result, seconds: (performance.now() - start) / 1000 }
}

const [file, directory] = process.argv.slice(2)
if (file === undefined || directory === undefined) throw new Error('Expected FILE and DIRECTORY')
// The checksum was verified when the file was written; it would only be added to the loading time.
const { result: stage, seconds: loading } = await timed(() => Stage.load(file, { verify: false }))
const functions = ['condition', 'step', 'forward'].flatMap(name => {
  const spec = stage.functions[name]
  return spec === undefined ? [] : [{ name, ...spec }]
})
const made = functions.flatMap(({ outputs }) => outputs.map(({ name }) => name))
const given = functions.flatMap(({ inputs }) => inputs.map(({ name }) => name)).filter(name => !made.includes(name))
const { tensors } = await readSafetensors(join(directory, 'inputs.safetensors'), [...new Set(given)])
/** @type {Record<string, number>} */
const seconds = {}
/** @type {Tensor | undefined} */
let output
for (const { name, inputs, outputs } of functions) {
  const values = await Promise.all(inputs.map(({ name, dtype }) => asDtype(tensors[name], dtype)))
  const run = await timed(() => stage.run(values, name))
  seconds[name] = run.seconds
  for (const [index, tensor] of run.result.entries()) tensors[outputs[index]?.name ?? ''] = tensor
  output = run.result[0]
}
if (output === undefined) throw new Error('Expected an output')
const data = await (await asDtype(output, 'float32')).data()
await writeFile(join(directory, 'output.bin'), new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
console.log(JSON.stringify({ loading, seconds, shape: output.shape, peak: process.resourceUsage().maxRSS * 1024 }))
