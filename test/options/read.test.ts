import { expect, test } from 'vitest'
import { expectStrings } from '../../lib/options/is.js'
import { knownOptions } from '../../lib/options/known.js'
import { copyList } from '../../lib/options/read.js'
import { seedsOf } from '../../lib/plan/seeds.js'
import { expectTimesteps } from '../../lib/plan/timesteps.js'
import { expectWeights } from '../../lib/values/mix.js'

const own = new Error('hostile')
const refused = (subject: string) => expect.objectContaining({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT', subject })

/** A list that counts how often it is read, and gives other values the second time. */
function changing<T>(first: readonly T[], then: readonly T[]): { list: T[]; reads: string[] } {
  const reads: string[] = []
  const list = new Proxy([...first], {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$|^length$/.test(key)) {
        const again = reads.includes(key)
        reads.push(key)
        return Reflect.get(again ? then : target, key, receiver) as unknown
      }
      return Reflect.get(target, key, receiver) as unknown
    }
  })
  return { list, reads }
}

test('a list is read once, and what was read is what is used', () => {
  const seeds = changing([1, 2], [-1, -1])
  expect(seedsOf(2, undefined, seeds.list)).toEqual([1, 2])
  expect(seeds.reads).toEqual(['length', '0', '1'])
  const levels = changing([1, 0.5, 0], [0, 0.5, 2])
  expect([...expectTimesteps('priorTimesteps', levels.list)]).toEqual([1, 0.5, 0])
  expect(expectStrings('prompt', changing(['a'], ['b']).list, 4)).toEqual(['a'])
  expect(expectWeights(changing([1, 2], [0, 0]).list, 2)).toEqual([1, 2])
})

test('an iterator, a map or a species of its own is not asked', () => {
  const list = Object.assign([1, 0], {
    [Symbol.iterator]: function* () {
      yield '4'
    },
    map: () => ['5'],
    every: () => true,
    constructor: { [Symbol.species]: () => ({}) }
  })
  expect(copyList('list', list, 2)).toEqual([1, 0])
  expect([...expectTimesteps('priorTimesteps', list)]).toEqual([1, 0])
})

test.each<[string, unknown]>([
  ['an object', { length: 1, 0: 1 }],
  ['a typed array', new Float64Array(2)],
  ['a list that is too long', new Array(2 ** 32 - 1)],
  ['a length that is none', new Proxy([1], { get: (_, key) => (key === 'length' ? 0.5 : 1) })],
  ['a length without end', new Proxy([1], { get: (_, key) => (key === 'length' ? Infinity : 1) })],
  ['a length of an object', new Proxy([1], { get: () => ({ valueOf: () => 1 }) })]
])('%s is no list', (_name, value) => {
  expect(copyList('list', value, 4)).toBeUndefined()
})

test('a hole is an element that is undefined, and refused as that', () => {
  expect(copyList('list', new Array(2), 4)).toEqual([undefined, undefined])
  expect(() => expectStrings('prompt', ['a', , 'b'], 4)).toThrow(refused('prompt'))
  expect(() => seedsOf(2, undefined, [1, ,])).toThrow(refused('seeds[1]'))
})

test('what a getter or a trap throws is the cause of an error that names the option', () => {
  const list = Object.defineProperty([1, 2], 1, {
    get() {
      throw own
    }
  })
  const refusal = (action: () => unknown) => {
    try {
      action()
    } catch (error) {
      return error
    }
    return undefined
  }
  expect(refusal(() => copyList('seeds', list, 4))).toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'seeds[1]', cause: own })
  const options = {
    get seed() {
      throw own
    }
  }
  expect(refusal(() => knownOptions('generate', options, ['seed']))).toMatchObject({ subject: 'seed', cause: own })
  const keys = new Proxy(
    {},
    {
      ownKeys() {
        throw own
      }
    }
  )
  expect(refusal(() => knownOptions('generate', keys, ['seed']))).toMatchObject({
    subject: 'the options of generate',
    cause: own
  })
})

test('a revoked proxy is refused by name, wherever it stands', () => {
  const revoked = (target: object) => {
    const { proxy, revoke } = Proxy.revocable(target, {})
    revoke()
    return proxy as never
  }
  expect(() => knownOptions('generate', revoked({}), ['seed'])).toThrow(refused('the options of generate'))
  expect(() => seedsOf(1, undefined, revoked([1]))).toThrow(refused('seeds'))
  expect(() => expectTimesteps('priorTimesteps', revoked([1, 0]))).toThrow(refused('priorTimesteps'))
  expect(() => expectStrings('prompt', revoked(['a']), 4)).toThrow(refused('prompt'))
})

test('every option is read before the first is checked, and once', () => {
  const reads: string[] = []
  const options = {
    get seed() {
      return reads.push('seed')
    },
    get prompt() {
      return reads.push('prompt')
    }
  }
  expect({ ...knownOptions('generate', options, ['seed', 'prompt']) }).toEqual({ seed: 1, prompt: 2 })
  expect(reads).toEqual(['seed', 'prompt'])
})
