import { invalid } from '../errors.js'
import { copyList } from './read.js'

/** Checks that either return the value with its type or throw an error in the one message grammar. */

export function expectInteger(name: string, value: unknown, low: number, high: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value
  throw invalid(name, `an integer from ${low} to ${high}`, value)
}

export function expectNumber(name: string, value: unknown, low: number, high: number): number {
  if (typeof value === 'number' && value >= low && value <= high) return value
  throw invalid(name, `a number from ${low} to ${high}`, value)
}

export function expectString(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw invalid(name, 'a string', value)
}

export function expectBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(name, 'true or false', value)
}

export function expectOneOf<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  if (typeof value === 'string' && (choices as readonly string[]).includes(value)) return value as T
  throw invalid(name, `one of ${choices.join(', ')}`, value)
}

export function expectFunction<T>(name: string, value: unknown): T {
  if (typeof value === 'function') return value as T
  throw invalid(name, 'a function', value)
}

/** A string, or a list of 1 to `most` strings. */
export function expectStrings(name: string, value: unknown, most: number): string[] {
  if (typeof value === 'string') return [value]
  const texts = copyList(name, value, most)
  if (texts !== undefined && texts.length > 0 && texts.every(item => typeof item === 'string')) return texts
  throw invalid(name, `a string or a list of 1 to ${most} strings`, texts ?? value)
}

/** Applies `check` unless the value was left out. null is a value, and the check refuses it. */
export function optional<T>(value: unknown, check: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : check(value)
}

export function withDefault(value: unknown, fallback: unknown): unknown {
  return value === undefined ? fallback : value
}
