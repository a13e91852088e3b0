import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DTYPE_NAMES, FLOAT_DTYPES } from '../../lib/dtypes.js'
import { ERROR_CODES } from '../../lib/errors.js'
import { STAGE_NAMES } from '../../lib/native.js'
import { root } from '../support/small-model.js'

const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8')

/** The quoted names of the list that begins behind `start`, up to the first line that is `end`. */
function namesIn(text: string, start: string, end: string): string[] {
  const from = text.indexOf(start)
  expect(from, start).toBeGreaterThanOrEqual(0)
  const list = text.slice(from + start.length, text.indexOf(end, from))
  return [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name!)
}

const error = read('cpp', 'core', 'error.h')
const spec = read('cpp', 'core', 'spec.h')
const dtype = read('cpp', 'core', 'dtype.h')
const python = read('scripts', 'wuerstchen_export', 'names.py')

test('error codes are the same in TypeScript and C++, but for the one that never leaves C++', () => {
  expect(namesIn(error, 'kCodeNames{', '};')).toEqual([...ERROR_CODES, 'CANCELLED'])
})

test('stage names are the same in TypeScript, C++ and Python', () => {
  expect(namesIn(spec, 'kStageNames{', '};')).toEqual(STAGE_NAMES)
  expect(namesIn(python, 'STAGES = (', '\n)')).toEqual(STAGE_NAMES)
})

test('dtypes are the same in TypeScript, C++ and Python', () => {
  expect(namesIn(dtype, 'kDtypes{{', '}};')).toEqual(DTYPE_NAMES)
  expect(namesIn(python, 'DTYPES = (', ')')).toEqual(FLOAT_DTYPES)
})

test("the addon's export table has the signatures of lib/native.ts, in its order", () => {
  const plain = (text: string) => text.replace(/;/g, ',').replace(/\s+/g, ' ').replace(/\( /g, '(').replace(/ \)/g, ')').trim()
  const native = read('lib', 'native.ts')
  const members = native.slice(native.indexOf('export interface Native {')).replace(/\/\*\*[\s\S]*?\*\//g, '')
  const declared = [...members.matchAll(/^ {2}(\w+\([\s\S]*?)$(?=\n {2}\w|\n\n|\n\})/gm)].map(([, signature]) =>
    plain(signature!)
  )
  const table = [...read('cpp', 'addon', 'addon.cc').matchAll(/^ {2}\/\/ (\w+\(.*)\n {2}add<(\w+)>\(exports, "(\w+)"\);$/gm)]
  expect(table.map(([, signature]) => plain(signature!))).toEqual(declared)
  for (const [, signature, callback, name] of table) expect([callback, signature!.split('(')[0]]).toEqual([name, name])
})
