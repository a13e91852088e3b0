/**
 * Runs one stage of a model directory in Node on the tensors of inputs.safetensors and writes what the last function
 * gives: `node bench/full-size/check-stage.mjs FILE DIRECTORY`, started by check.py. Prints one line of JSON.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Stage, Tensor } from '../../dist/index.js'

const ARRAYS = { F32: [Float32Array, 'float32'], I64: [BigInt64Array, 'int64'] }

/** A safetensors file: 8-byte length, JSON header, data. */
async function readTensors(file) {
  const bytes = await readFile(file)
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, headerEnd))
  const tensors = new Map()
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [start, end]
    }
  ] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const [Array, ours] = ARRAYS[dtype]
    const copy = new Uint8Array(bytes.subarray(headerEnd + start, headerEnd + end))
    tensors.set(name, Tensor.from(new Array(copy.buffer), shape, ours))
  }
  return tensors
}

async function asDtype(tensor, dtype) {
  return tensor.dtype === dtype ? tensor : await tensor.to(dtype)
}

async function timed(action) {
  const start = performance.now()
  const result = await action()
  return { result, seconds: (performance.now() - start) / 1000 }
}

const [file, directory] = process.argv.slice(2)
const tensors = await readTensors(join(directory, 'inputs.safetensors'))
// The checksum was verified when the file was written; it would only be added to the loading time.
const { result: stage, seconds: loading } = await timed(() => Stage.load(file, { verify: false }))
const seconds = {}
let output
for (const name of ['condition', 'step', 'forward'].filter(name => name in stage.functions)) {
  const { inputs, outputs } = stage.functions[name]
  const values = await Promise.all(inputs.map(({ name, dtype }) => asDtype(tensors.get(name), dtype)))
  const run = await timed(() => stage.run(values, name))
  seconds[name] = run.seconds
  outputs.forEach((spec, index) => tensors.set(spec.name, run.result[index]))
  output = run.result[0]
}
const data = await (await asDtype(output, 'float32')).data()
await writeFile(join(directory, 'output.bin'), new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
console.log(JSON.stringify({ loading, seconds, shape: output.shape, peak: process.resourceUsage().maxRSS * 1024 }))
