/** Every code a `WuerstchenError` can carry, with what it means. `docs/errors.md` lists exactly these (tested). */
export const ERROR_CODES = {
  INVALID_ARGUMENT: 'A value passed to a call, a flag or a field is not usable.',
  MODEL_NOT_FOUND: 'The model directory, its manifest or one of its files does not exist.',
  MODEL_INVALID: 'The manifest is not one this version reads, or a file differs from what the manifest says.',
  MODEL_MISMATCH: 'The model is sound, but has nothing that fits this device, dtype, instruction set, LibTorch or call.',
  LIBTORCH_NOT_FOUND: 'No LibTorch of the pinned minor version was found.',
  NATIVE_LOAD_FAILED: 'The addon is not built, or the system refused to load it.',
  DEVICE_UNAVAILABLE: 'The device that was asked for cannot be used on this machine.',
  DISPOSED: 'A pipeline, tensor, stage or embeddings value was used after it was disposed.',
  OUT_OF_MEMORY: 'The memory of the host or of the device did not suffice.',
  QUEUE_FULL: 'More work is waiting than may wait.',
  TIMEOUT: 'The work took longer than it was allowed to.',
  INTERNAL: 'A fault of this package or of LibTorch; please report it.'
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/**
 * The only error class of this package. The addon is handed this class and throws it too.
 * A cancelled call does not reject with it, but with its signal's `reason`.
 */
export class WuerstchenError extends Error {
  override readonly name = 'WuerstchenError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** `Expected <what> for <name> but received <value> of type <type>`, the one grammar for values that are not usable. */
export function invalid(name: string, expected: string, received: unknown, hint?: string): WuerstchenError {
  const tail = hint === undefined ? '' : `. ${hint}`
  return new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected ${expected} for ${name} but received ${show(received)} of type ${typeName(received)}${tail}`
  )
}

export function disposed(what: string): WuerstchenError {
  return new WuerstchenError('DISPOSED', `Expected a live ${what} but it has been disposed`)
}

const LONGEST = 80

/** A short, safe picture of any value: never calls into it, so that hostile objects cannot interfere. */
export function show(value: unknown): string {
  if (typeof value === 'string') return shorten(JSON.stringify(value))
  if (typeof value === 'bigint') return `${shorten(String(value))}n`
  if (typeof value === 'symbol') return shorten(String(value))
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value)
  if (!isArray(value)) return 'an object'
  if (value.length > 8) return `an array of ${value.length}`
  return shorten(
    `[${value.map(item => (typeof item === 'number' || typeof item === 'string' ? show(item) : typeName(item))).join(', ')}]`
  )
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return isArray(value) ? 'array' : typeof value
}

/** `Array.isArray` throws for a revoked proxy. */
function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value) && value.length >= 0
  } catch {
    return false
  }
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text
}
