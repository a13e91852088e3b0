/** What no call expects in any of its places. */
import { createContext, runInContext } from 'node:vm'

/** What a hostile value throws by itself: a call may let it through. */
export class OwnError extends Error {}

const realm = createContext({})

/** @param {string} code @returns {unknown} a value of another realm */
const foreign = code => runInContext(code, realm)

/** @template {ArrayBufferView} T @param {T} view @returns {T} */
function detached(view) {
  structuredClone(null, { transfer: [/** @type {ArrayBuffer} */ (view.buffer)] })
  return view
}

const fail = () => {
  throw new OwnError('a trap of a hostile value')
}

const TRAPS = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect)
    .filter(name => typeof (/** @type {any} */ (Reflect)[name]) === 'function')
    .map(name => [name, fail])
)

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** @param {number} length */
function resizable(length) {
  // The compiler's list of ES2023 has no resizable buffers, and Node 20 has.
  const Resizable = /** @type {any} */ (ArrayBuffer)
  const buffer = new Resizable(length, { maxByteLength: length * 2 })
  return { view: new Uint8Array(buffer), shrink: () => buffer.resize(0) }
}

/**
 * By name; each is made anew for a case. `ownTypeError`: looking at it throws a TypeError, which is its own.
 * @type {Readonly<Record<string, { make: () => unknown, ownTypeError?: boolean }>>}
 */
export const VALUES = {
  undefined: { make: () => undefined },
  null: { make: () => null },
  true: { make: () => true },
  '-0': { make: () => -0 },
  '-1': { make: () => -1 },
  1.5: { make: () => 1.5 },
  NaN: { make: () => NaN },
  Infinity: { make: () => Infinity },
  '-Infinity': { make: () => -Infinity },
  '2^31': { make: () => 2 ** 31 },
  '2^32': { make: () => 2 ** 32 },
  '2^53': { make: () => 2 ** 53 },
  '2^53 - 1': { make: () => 2 ** 53 - 1 },
  '2^63': { make: () => 2 ** 63 },
  '1e308': { make: () => 1e308 },
  'a bigint': { make: () => 10n ** 30n },
  'bigint 1': { make: () => 1n },
  'an empty string': { make: () => '' },
  'a string': { make: () => 'x' },
  'a number as a string': { make: () => '1' },
  'a huge string': { make: () => 'x'.repeat(1 << 22) },
  'a lone surrogate': { make: () => '\ud800' },
  'a zero byte': { make: () => 'a\0b' },
  'a symbol': { make: () => Symbol('x'), ownTypeError: true },
  'a well-known symbol': { make: () => Symbol.iterator, ownTypeError: true },
  'a function': { make: () => () => 1 },
  'a function that throws': { make: () => fail },
  'an async function that throws': { make: () => async () => fail() },
  'a class': { make: () => class {}, ownTypeError: true },
  'an empty list': { make: () => [] },
  'a list of null': { make: () => [null] },
  'a sparse list': { make: () => new Array(1000) },
  'a long list': { make: () => new Array(100_000).fill(1) },
  'a list in itself': {
    make: () => {
      const list = /** @type {unknown[]} */ ([])
      list.push(list)
      return list
    }
  },
  'a list with its own iterator': { make: () => Object.assign([1], { [Symbol.iterator]: fail }) },
  'an object': { make: () => ({}) },
  'an object without prototype': { make: () => Object.create(null), ownTypeError: true },
  'a frozen object': { make: () => Object.freeze({ a: 1 }) },
  'a thenable': { make: () => ({ then: (/** @type {(value: unknown) => void} */ resolve) => resolve(1) }) },
  'an object that throws as a primitive': { make: () => ({ [Symbol.toPrimitive]: fail, toString: fail, valueOf: fail }) },
  'a proxy that throws': { make: () => new Proxy({}, TRAPS) },
  'a proxy of a function that throws': { make: () => new Proxy(() => 1, TRAPS) },
  'a revoked proxy': { make: revoked, ownTypeError: true },
  'a date': { make: () => new Date(NaN) },
  'a promise': { make: () => Promise.resolve(1) },
  'a regular expression': { make: () => /x/ },
  'a boxed number': { make: () => Object(1) },
  'a float array': { make: () => new Float32Array(4) },
  'a float array of NaN': { make: () => new Float32Array(256).fill(NaN) },
  'a bigint array': { make: () => new BigInt64Array(77) },
  'an empty array': { make: () => new Uint8Array(0) },
  'an odd slice': { make: () => new Uint8Array(new ArrayBuffer(77), 1, 75) },
  'a data view': { make: () => new DataView(new ArrayBuffer(16)) },
  'an array buffer': { make: () => new ArrayBuffer(8) },
  'a shared buffer': { make: () => new SharedArrayBuffer(8) },
  'a shared array': { make: () => new Uint8Array(new SharedArrayBuffer(256)) },
  'a shared float array': { make: () => new Float32Array(new SharedArrayBuffer(1024)) },
  'a detached array': { make: () => detached(new Uint8Array(256)) },
  'a detached float array': { make: () => detached(new Float32Array(256)) },
  'a resizable array': { make: () => resizable(256).view },
  'an array that was shrunk': {
    make: () => {
      const { view, shrink } = resizable(256)
      shrink()
      return view
    }
  },
  'an object of another realm': { make: () => foreign('({})') },
  'a list of another realm': { make: () => foreign('[1, 2, 3]') },
  'an array of another realm': { make: () => foreign('new Uint8Array(256)') },
  'a float array of another realm': { make: () => foreign('new Float32Array(256)') },
  'a function of another realm': { make: () => foreign('(() => 1)') },
  'an error of another realm': { make: () => foreign('new Error("x")') },
  'a borrowed signal': { make: () => Object.create(AbortSignal.prototype), ownTypeError: true },
  'an aborted signal': { make: () => AbortSignal.abort(new OwnError('aborted')) },
  'a signal that will be aborted': { make: () => abortedSoon() },
  'a URL': { make: () => new URL('file:///nothing/at/all') },
  'a URL of the web': { make: () => new URL('https://example.invalid/') }
}

function abortedSoon() {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new OwnError('aborted')), 3)
  return controller.signal
}
