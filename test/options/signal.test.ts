import { createContext, runInContext } from 'node:vm'
import { expect, test } from 'vitest'
import { expectSignal } from '../../lib/options/signal.js'

/** A signal as other libraries write it: no EventTarget, and a list of listeners to look at. */
class Other {
  aborted = false
  reason: unknown
  readonly listeners = new Set<() => void>()
  addEventListener(type: string, listener: () => void) {
    if (type === 'abort') this.listeners.add(listener)
  }
  removeEventListener(_type: string, listener: () => void) {
    this.listeners.delete(listener)
  }
  abort(reason?: unknown) {
    this.aborted = true
    this.reason = reason
    for (const listener of this.listeners) listener()
  }
}

test('a signal of this realm is taken as it is', () => {
  for (const signal of [new AbortController().signal, AbortSignal.abort(1), AbortSignal.timeout(1e6), AbortSignal.any([])])
    expect(expectSignal('signal', signal)).toBe(signal)
})

test('another one is followed by one of ours, which AbortSignal.any takes', () => {
  const other = new Other()
  const signal = expectSignal('signal', other)
  expect(AbortSignal.any([signal]).aborted).toBe(false)
  const reason = { why: 'enough' }
  other.abort(reason)
  expect([signal.aborted, signal.reason]).toEqual([true, reason])
})

test('one that was aborted before is aborted at once, and without a reason has the usual one', () => {
  const other = new Other()
  other.abort()
  const signal = expectSignal('signal', other)
  expect(signal.aborted).toBe(true)
  expect(signal.reason).toMatchObject({ name: 'AbortError' })
})

test('however many calls it is given to, another one has one listener', () => {
  const other = new Other()
  const signals = Array.from({ length: 1000 }, () => expectSignal('signal', other))
  expect(new Set(signals).size).toBe(1)
  expect(other.listeners.size).toBe(1)
  // It may say that it is aborted without having told anybody.
  other.aborted = true
  expect(expectSignal('signal', other).aborted).toBe(true)
})

test('one of another vm context is followed', () => {
  const context = createContext({})
  const other = runInContext(
    `const listeners = []
    ;({ aborted: false, reason: undefined, addEventListener: (_, listener) => listeners.push(listener), removeEventListener() {},
      abort(reason) { this.aborted = true; this.reason = reason; listeners.forEach(listener => listener()) } })`,
    context
  ) as Other
  const signal = expectSignal('signal', other)
  other.abort('gone')
  expect(signal.reason).toBe('gone')
})

test('one of which something was replaced is followed too, so that nothing of it is asked later', () => {
  const controller = new AbortController()
  let asked = 0
  Object.defineProperty(controller.signal, 'aborted', {
    get() {
      asked++
      return false
    }
  })
  const signal = expectSignal('signal', controller.signal)
  expect(signal).not.toBe(controller.signal)
  expect(asked).toBe(1)
  controller.abort('now')
  expect([signal.aborted, signal.reason]).toEqual([true, 'now'])
  const proxied = new AbortController()
  expect(() => expectSignal('signal', new Proxy(proxied.signal, {}))).not.toThrow()
})

test('a reason that cannot be read stops the work all the same', () => {
  const other = new Other()
  const signal = expectSignal('signal', other)
  const hostile = new Error('hostile')
  Object.defineProperty(other, 'reason', {
    get() {
      throw hostile
    }
  })
  for (const listener of other.listeners) listener()
  expect([signal.aborted, signal.reason]).toEqual([true, hostile])
})

const hostile = () => {
  throw new Error('hostile')
}
test.each<[string, unknown]>([
  ['an object that borrows the prototype', Object.create(AbortSignal.prototype)],
  ['a controller', new AbortController()],
  ['an event target', new EventTarget()],
  ['aborted without listeners', { aborted: true }],
  ['no boolean', { aborted: 'no', addEventListener() {}, removeEventListener() {} }],
  ['nobody to remove a listener', { aborted: false, addEventListener() {} }],
  ['a getter that throws', Object.defineProperty({}, 'aborted', { get: hostile })],
  ['listeners that are refused', { aborted: false, addEventListener: hostile, removeEventListener() {} }],
  ['a proxy that throws', new Proxy({}, { get: hostile, getPrototypeOf: hostile })],
  ['null', null],
  ['a function', () => {}],
  ['the prototype', AbortSignal.prototype]
])('%s is refused by name', (_name, value) => {
  expect(() => expectSignal('signal', value)).toThrow(
    expect.objectContaining({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT', subject: 'signal' })
  )
})
