import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Tensor, WuerstchenError } from '../../lib/index.js'
import { loadAddon } from '../../lib/load/addon.js'
import { root } from '../support/small-model.js'

test('the addon has exactly the functions that lib/native.ts declares', () => {
  const source = readFileSync(join(root, 'lib', 'native.ts'), 'utf8')
  const declared = [...source.slice(source.indexOf('export interface Native {')).matchAll(/^ {2}(\w+)\(/gm)].map(
    match => match[1]
  )
  expect(Object.keys(loadAddon()).toSorted()).toEqual(declared.toSorted())
})

/** The others end the environment or the process. */
const callable = Object.keys(loadAddon()).filter(name => !['initialize', 'shutdown', 'exitNow'].includes(name))

test.each(callable)('%s survives any arguments', async name => {
  const call = loadAddon()[name as 'runtimeInfo'] as (...args: unknown[]) => unknown
  const hostile = [
    undefined,
    null,
    1,
    -1,
    NaN,
    2 ** 53,
    'x',
    {},
    [],
    () => {},
    Symbol('x'),
    10n,
    new Float32Array(2),
    new Proxy(
      {},
      {
        get() {
          throw new Error('hostile')
        }
      }
    )
  ]
  for (const args of [
    [],
    ...hostile.map(value => [value]),
    ...hostile.map(value => [value, value, value, value]),
    ...hostile.map(value => [{}, value, []])
  ]) {
    try {
      await call(...args)
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
    }
  }
})

test('handles are told apart by what they are, not by how they look', () => {
  const tensor = Tensor.from(new Float32Array(1), [1])
  const native = loadAddon()
  for (const handle of [{}, Object.create(tensor.handle as object), tensor, () => {}]) {
    expect(() => native.tensorInfo(handle as never)).toThrow(WuerstchenError)
    expect(() => native.engineStats(handle as never)).toThrow(WuerstchenError)
  }
  expect(() => native.engineStats(tensor.handle as never)).toThrow(/engine/i)
})

test('a tensor is made by its factories, not by hand', () => {
  expect(() => new (Tensor as unknown as new () => Tensor)()).toThrow(WuerstchenError)
})
