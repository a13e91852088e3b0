import { describe, expect, test } from 'vitest'
import { JsonCheck, type JsonBounds } from '../../lib/files/json.js'

const BOUNDS: JsonBounds = { depth: 3, values: 20, items: 8 }

/** Checks the text in pieces of a size; what it says, or where its long strings are. */
function check(text: string, size: number): string | string[] {
  const bytes = Buffer.from(text)
  const checked = new JsonCheck(BOUNDS, 6)
  try {
    for (let at = 0; at < bytes.length; at += size) checked.push(bytes.subarray(at, at + size))
  } catch (error) {
    return (error as Error).message
  }
  return checked.long.map(({ start, end }) => bytes.toString('utf8', start, end))
}

describe('a text that comes piece by piece', () => {
  test.each<[string, string | string[]]>([
    ['{"a":"1234567"}', ['1234567']],
    ['{"a":"123456","12345678":"[[[["}', ['12345678']],
    [String.raw`["\"\"\"\"[[[[[", "\\\\\\", 1]`, [String.raw`\"\"\"\"[[[[[`]],
    [String.raw`["a\\", [[1]], "\\\"[[[[[[[["]`, [String.raw`\\\"[[[[[[[[`]],
    ['["ééééé{{{{"]', ['ééééé{{{{']],
    ['[[[[1]]]]', 'it is nested deeper than 3'],
    ['[1,2,3,4,5,6,7,8,9]', 'a part of it has more than 8 values'],
    ['[[1,2,3,4,5,6,7],[1,2,3,4,5,6,7],[1,2,3,4,5]]', 'it has more than 20 values'],
    ['"'.repeat(100), 'it has more than 20 values']
  ])('%j is counted alike, whatever the pieces are', (text, expected) => {
    for (let size = 1; size <= text.length + 1; size++) expect(check(text, size), `pieces of ${size}`).toEqual(expected)
  })
})
