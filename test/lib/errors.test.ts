import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES, invalid, show, WuerstchenError } from '../../lib/errors.js'
import { root } from '../support/small-model.js'

/** Rows of the table in the page: | `CODE` | meaning | … */
const documented = [...readFileSync(join(root, 'docs', 'errors.md'), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(
  match => match[1]
)

describe('the error codes', () => {
  test('are those of docs/errors.md, and the other way round', () => {
    expect(documented.toSorted()).toEqual([...ERROR_CODES].toSorted())
    expect(new Set(documented).size).toBe(documented.length)
  })

  test('come with an error of one class that keeps its cause', () => {
    const cause = new Error('inner')
    const error = new WuerstchenError('INTERNAL', 'outer', { subject: 'seed', cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'WuerstchenError', code: 'INTERNAL', message: 'outer', subject: 'seed', cause })
  })
})

describe('the message for an unusable value', () => {
  test('follows one grammar', () => {
    expect(invalid('width', 'an integer', '12').message).toBe('Expected an integer for width but received "12" of type string')
    expect(invalid('width', 'an integer', null).message).toBe('Expected an integer for width but received null of type null')
    expect(invalid('width', 'an integer', [1, 2]).message).toBe('Expected an integer for width but received [1, 2] of type array')
    expect(invalid('width', 'an integer', NaN, 'Try 128').message).toBe(
      'Expected an integer for width but received NaN of type number. Try 128'
    )
  })

  test.each([
    ['a long string', 'x'.repeat(1e6), /^"x{80}"… \(1000000 characters\)$/],
    ['a long list', new Array(1e6).fill(0), /^an array of 1000000$/],
    [
      'an object that throws',
      {
        toString() {
          throw new Error('hostile')
        }
      },
      /^an object$/
    ],
    [
      'a revoked proxy',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })(),
      /^an object$/
    ],
    ['a getter in a list', Object.defineProperty([1, 2], 1, { get: () => expect.fail('was called') }), /^\[1, undefined\]$/],
    ['a list with a map of its own', Object.assign([1], { map: () => expect.fail('was called') }), /^\[1\]$/],
    ['a proxy of a list', new Proxy([1], { get: () => expect.fail('was called') }), /^an object$/],
    ['a symbol', Symbol('s'), /^Symbol\(s\)$/],
    ['a bigint', 12n, /^12n$/],
    ['minus zero', -0, /^-0$/]
  ])('stays short and safe for %s', (_name, value, expected) => {
    expect(show(value)).toMatch(expected)
  })
})
