import { types } from 'node:util'
import { invalid } from '../errors.js'
import { reading } from './read.js'

type Followed = Pick<AbortSignal, 'aborted' | 'reason' | 'addEventListener' | 'removeEventListener'>

const MEMBERS = ['aborted', 'reason', 'addEventListener', 'removeEventListener', 'throwIfAborted']

const abortedOf = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')!.get!

/** One signal of ours for each foreign one, however many calls it is given to: it gets one listener, and keeps it. */
const FOLLOWERS = new WeakMap<object, AbortController>()

/**
 * An AbortSignal of this realm as it is. One of another realm or of another implementation is followed by one of ours, because
 * `AbortSignal.any` takes no other. It must have `aborted`, `addEventListener` and `removeEventListener`.
 * @throws WuerstchenError INVALID_ARGUMENT for anything else, also for an object that only borrows the prototype
 */
export function expectSignal(name: string, value: unknown): AbortSignal {
  if (isOwn(value)) return value
  if (value === null || typeof value !== 'object') throw invalid(name, 'an AbortSignal', value)
  return reading(name, () => follow(value as Followed)) ?? refuse(name, value)
}

function refuse(name: string, value: unknown): never {
  throw invalid(name, 'an AbortSignal', value)
}

/** Whether it is a signal of this realm of which nothing has been replaced. */
function isOwn(value: unknown): value is AbortSignal {
  if (value === null || typeof value !== 'object' || types.isProxy(value)) return false
  if (Object.getPrototypeOf(value) !== AbortSignal.prototype || MEMBERS.some(member => Object.hasOwn(value, member))) return false
  try {
    Reflect.apply(abortedOf, value, [])
    return true
  } catch {
    return false
  }
}

function follow(signal: Followed): AbortSignal | undefined {
  const { aborted, addEventListener, removeEventListener } = signal
  const sound =
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  if (!sound) return undefined
  const known = FOLLOWERS.get(signal)
  const controller = known ?? new AbortController()
  if (known === undefined) {
    if (!aborted) Reflect.apply(addEventListener, signal, ['abort', () => abortWith(controller, signal), { once: true }])
    FOLLOWERS.set(signal, controller)
  }
  if (aborted) abortWith(controller, signal)
  return controller.signal
}

function abortWith(controller: AbortController, signal: Followed): void {
  try {
    controller.abort(signal.reason)
  } catch (error) {
    // The reason is a getter that throws. The work must stop all the same.
    controller.abort(error)
  }
}
