import { types } from 'node:util'

/**
 * Every code that a `WuerstchenError` can carry. docs/errors.md says what each means, and cpp/core/error.h has the same list
 * (tested).
 */
export const ERROR_CODES = [
  'INVALID_ARGUMENT',
  'MODEL_NOT_FOUND',
  'MODEL_INVALID',
  'MODEL_MISMATCH',
  'LIBTORCH_NOT_FOUND',
  'NATIVE_LOAD_FAILED',
  'DEVICE_UNAVAILABLE',
  'DISPOSED',
  'OUT_OF_MEMORY',
  'NOT_FINITE',
  'QUEUE_FULL',
  'TIMEOUT',
  'INTERNAL'
] as const

/**
 * What went wrong, by kind. docs/errors.md says when each code comes, and what helps.
 * @useDeclaredType
 */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** Shared by every copy of this package in a process, so that an error of one copy is known to the others. */
const BRAND = Symbol.for('wuerstchen.error')

/** What an error is about, beside its code and its message. */
export interface ErrorFacts extends ErrorOptions {
  /** The option, file or stage that the error is about; null if it is about none of these. */
  subject: string | null
}

/**
 * The only error class of this package. What the addon throws becomes one, too (lib/load/own-errors.ts).
 * A cancelled call does not reject with it, but with its signal's `reason`.
 */
export class WuerstchenError extends Error {
  /** The name of the class, as stacks begin with it. */
  override readonly name = 'WuerstchenError'
  /** The kind of the error. Programs compare this, and never the message. */
  readonly code: ErrorCode
  /**
   * What the error is about: an option (`seeds[2]`), a limit of the server (`maxQueued`), a file (its path), a stage (`decoder`)
   * or a value (`tensor`); null if it is about none of these.
   */
  readonly subject: string | null

  constructor(code: ErrorCode, message: string, { subject = null, ...options }: Partial<ErrorFacts> = {}) {
    super(message, options)
    this.code = code
    this.subject = subject
  }

  /** @internal */
  get [BRAND](): true {
    return true
  }

  /**
   * Whether a value is an error of this class, with this code if one is given. `instanceof` would not recognise errors of another
   * copy of this package in the same process.
   */
  static is(value: unknown, code?: ErrorCode): value is WuerstchenError {
    return isBranded(value) && (code === undefined || value.code === code)
  }
}

function isBranded(value: unknown): value is WuerstchenError {
  return types.isNativeError(value) && (value as { [BRAND]?: unknown })[BRAND] === true
}

/**
 * `Expected <what> for <name> but received <value> of type <type>`: the grammar of all messages about values that cannot be used.
 */
export function invalid(name: string, expected: string, received: unknown, hint?: string): WuerstchenError {
  const tail = hint === undefined ? '' : `. ${hint}`
  return new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected ${expected} for ${name} but received ${show(received)} of type ${typeName(received)}${tail}`,
    { subject: name }
  )
}

export function disposed(what: string): WuerstchenError {
  return new WuerstchenError('DISPOSED', `Expected a live ${what} but it has been disposed`, { subject: what })
}

const LONGEST = 80

/** A short text for any value. It never calls into the value, so that hostile objects cannot interfere. */
export function show(value: unknown): string {
  // Only what is shown is put into quotes: the count is that of the text itself.
  if (typeof value === 'string')
    return value.length > LONGEST
      ? `${JSON.stringify(value.slice(0, LONGEST))}… (${value.length} characters)`
      : JSON.stringify(value)
  if (typeof value === 'bigint') return `${shorten(String(value))}n`
  if (typeof value === 'symbol') return shorten(String(value))
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value)
  if (!isArray(value)) return 'an object'
  if (value.length > 8) return `an array of ${value.length}`
  // Elements may be getters, and `map` may be the caller's.
  const items = Array.from(
    { length: value.length },
    (_, index) => Object.getOwnPropertyDescriptor(value, index)?.value as unknown
  )
  return shorten(
    `[${items.map(item => (typeof item === 'number' || typeof item === 'string' ? show(item) : typeName(item))).join(', ')}]`
  )
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return isArray(value) ? 'array' : typeof value
}

/** `Array.isArray`, but false for a proxy: its traps are code of the caller, and a revoked one throws. */
function isArray(value: unknown): value is unknown[] {
  return !types.isProxy(value) && Array.isArray(value)
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text
}
