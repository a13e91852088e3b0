import { WuerstchenError } from '../errors.js'

/**
 * Runs a call that reaches native code. An error made on another thread has no JavaScript stack. Therefore the stack of the
 * caller is captured here, before the first await, and added to the error.
 */
export async function nativeCall<T>(run: () => Promise<T>): Promise<T> {
  const caller = new Error()
  try {
    return await run()
  } catch (error) {
    throw withStack(error, caller)
  }
}

function withStack(error: unknown, caller: Error): unknown {
  if (!WuerstchenError.is(error) || caller.stack === undefined) return error
  const frames = caller.stack.split('\n').slice(2)
  const own = error.stack?.split('\n').some(line => line.startsWith('    at ')) ?? false
  if (!own) error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n')
  return error
}
