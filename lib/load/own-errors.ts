import { types } from 'node:util'
import { WuerstchenError, type ErrorCode } from '../errors.js'
import type { Native } from '../native.js'

/** What the addon throws. `native` tells it from errors of callbacks, which pass through the addon unchanged. */
interface NativeError extends Error {
  native: true
  code: ErrorCode
  subject: string | null
}

/**
 * The addon's functions, whose errors become this copy's `WuerstchenError`. A process can have several copies of this package,
 * and they share one addon.
 */
export function withOwnErrors(native: Native): Native {
  const wrapped = Object.entries(native).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
    name,
    (...args: unknown[]) => {
      try {
        return ownResult(call(...args))
      } catch (error) {
        throw ownError(error)
      }
    }
  ])
  return Object.fromEntries(wrapped) as Native
}

/** Promises stand alone, or as one property of a plain object. A handle has no properties; `types.isExternal` is not in Deno. */
function ownResult(result: unknown): unknown {
  if (types.isPromise(result)) return ownPromise(result)
  if (result === null || typeof result !== 'object') return result
  const properties = result as Record<string, unknown>
  for (const [key, value] of Object.entries(properties)) if (types.isPromise(value)) properties[key] = ownPromise(value)
  return result
}

function ownPromise(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => {
    throw ownError(error)
  })
}

function ownError(error: unknown): unknown {
  if (!isNative(error)) return error
  const own = new WuerstchenError(error.code, error.message, { subject: error.subject })
  // An error that was made on another thread has no frames. `nativeCall` gives it those of its caller.
  const frames = (error.stack ?? '').split('\n').filter(line => line.startsWith('    at '))
  own.stack = [`${own.name}: ${own.message}`, ...frames].join('\n')
  return own
}

function isNative(error: unknown): error is NativeError {
  return types.isNativeError(error) && (error as Partial<NativeError>).native === true
}
