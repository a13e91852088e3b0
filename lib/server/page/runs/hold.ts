import { Refusal, Unreachable } from '../api/send.js'
import { waitAfter } from '../api/wake.js'
import type { Hold } from './run.js'

/** Why to wait and try again after an error; undefined: trying again does not help. */
export function holdOf(error: unknown): Hold | undefined {
  if (error instanceof Unreachable) return 'network'
  if (!(error instanceof Refusal)) return undefined
  if (error.wantsKey) return 'key'
  return error.retryAfter === undefined ? undefined : 'full'
}

/** How long to wait after that, in milliseconds. */
export function waitOf(error: unknown, failures: number): number {
  const wanted = error instanceof Refusal ? (error.retryAfter ?? 0) * 1000 : 0
  return Math.max(wanted, waitAfter(failures))
}
