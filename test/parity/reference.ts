import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { DecodeOptions, GenerateOptions } from '../../lib/index.js'
import { readSafetensors } from '../../lib/values/safetensors.js'
import type { Tensor } from '../../lib/values/tensor.js'
import { root } from '../support/small-model.js'

/** What diffusers 0.42.1 makes of the small random model; test/parity/reference/README.md describes the files. */
const directory = join(root, 'test', 'parity', 'reference')

/** Options by their API names; those that stand for a tensor name one of the values. */
type Case<Options> = { [Key in keyof Options]: Options[Key] extends Tensor | undefined ? string : Options[Key] } & Record<
  string,
  unknown
>

export const cases = JSON.parse(readFileSync(join(directory, 'cases.json'), 'utf8')) as {
  generate: Record<string, Case<GenerateOptions>>
  decode: Record<string, Case<DecodeOptions> & { embeddings: string }>
  texts: string[]
}

export const tokens = JSON.parse(gunzipSync(readFileSync(join(directory, 'tokens.json.gz'))).toString('utf8')) as {
  text: string
  ids: number[]
  length: number
}[]

/** Expected values, or inputs, by name. */
export async function values<Name extends string>(...names: Name[]): Promise<Record<Name, Tensor>> {
  return (await readSafetensors(join(directory, 'values.safetensors'), names)).tensors as Record<Name, Tensor>
}

/** The largest difference, relative to the largest expected value. */
export async function relativeDifference(actual: Tensor, expected: Tensor): Promise<number> {
  if (actual.shape.join() !== expected.shape.join())
    throw new Error(`Expected shape ${expected.shape.join()} but received ${actual.shape.join()}`)
  const [a, b] = [(await actual.data()) as Float32Array, (await expected.data()) as Float32Array]
  const scale = b.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  return largest(a, b) / scale
}

/** The largest absolute difference of two lists of numbers; NaN counts as infinite. */
export function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity
  let found = 0
  for (let index = 0; index < a.length; index++) {
    const difference = Math.abs(a[index]! - b[index]!)
    if (!(difference <= found)) found = Number.isNaN(difference) ? Infinity : difference
  }
  return found
}
