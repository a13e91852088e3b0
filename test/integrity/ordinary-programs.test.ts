import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Stage, Tensor } from '../../lib/index.js'
import { runPython } from '../support/python.js'
import { root } from '../support/small-model.js'

/** Largest difference from what Python computed with the same LibTorch: sums in another order. */
const TOLERANCE = 1e-4
const NAMES = [
  ...['convolutions', 'traced', 'frozen', 'channels last', 'LSTM', 'GRU', 'transformer', 'Parameters', 'Attributes'],
  ...['Enumerations', 'Devices', 'State', 'Buffers', 'HasClass', 'Constants', 'Tied']
]

interface Described {
  shape: number[]
  dtype: 'float32' | 'int64'
  data: number[]
}

let directory = ''
let cases: Record<string, { input: Described; output: Described }> = {}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wuerstchen-programs-'))
  await runPython([join(root, 'test', 'support', 'ordinary_programs.py'), directory])
  cases = JSON.parse(readFileSync(join(directory, 'cases.json'), 'utf8')) as typeof cases
})

afterAll(() => rm(directory, { recursive: true, force: true }))

test('every program has a test', () => {
  expect(Object.keys(cases).sort()).toEqual(NAMES.toSorted())
})

test.each(NAMES)('%s: a program of other people gives what it gives in Python', async name => {
  const { input, output } = cases[name]!
  const data = input.dtype === 'int64' ? BigInt64Array.from(input.data.map(BigInt)) : Float32Array.from(input.data)
  const describe = (name: string, { shape, dtype }: Described) => [{ name, shape, dtype }]
  await using stage = await Stage.load(join(directory, `${name}.pt`), {
    functions: { forward: { inputs: describe('input', input), outputs: describe('output', output) } },
    threads: 1
  })
  using given = Tensor.from(data, input.shape)
  const [made] = await stage.run([given])
  const values = Array.from((await made!.data()) as Float32Array)
  expect(Math.max(...values.map((value, index) => Math.abs(value - output.data[index]!)))).toBeLessThan(TOLERANCE)
  made!.dispose()
})
