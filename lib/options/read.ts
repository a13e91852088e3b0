import { WuerstchenError } from '../errors.js'

/**
 * Reads of a caller's value. A getter and a trap of a proxy are code of the caller that runs in the middle of a check. What they
 * throw becomes INVALID_ARGUMENT with their error as its `cause`, so that no call is left by an error that names no option.
 */
export function reading<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new WuerstchenError('INVALID_ARGUMENT', `Expected a value that can be read for ${name} but reading it failed`, {
      subject: name,
      cause
    })
  }
}

/** `Array.isArray`, but false for a revoked proxy, for which it throws. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/**
 * A copy of a list, undefined for anything else and for more than `most` elements. It is read once, index by index: a list may
 * have an iterator of its own, holes, or getters that give something else the second time. The copy is what is checked and used.
 */
export function copyList(name: string, value: unknown, most: number): unknown[] | undefined {
  if (!isList(value)) return undefined
  const length: unknown = reading(name, () => value.length)
  // A proxy may say anything.
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0 || length > most) return undefined
  return Array.from({ length }, (_, index) => reading(`${name}[${index}]`, () => value[index]))
}
