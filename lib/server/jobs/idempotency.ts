import { invalid, type ErrorCode } from '../../errors.js'
import type { Idempotency, JobView, Outcome } from './store.js'

/** Failures that pass by: whoever asks again is meant to get another try, and not the same failure. */
const PASSING: ReadonlySet<string> = new Set<ErrorCode>(['QUEUE_FULL', 'DISPOSED', 'OUT_OF_MEMORY'])

/** Whether the way a job ended is an answer for all who ask again. */
export function isAnswer(outcome: Outcome): boolean {
  return outcome.state !== 'failed' || !PASSING.has(outcome.error.code)
}

/** Which job each key stands for, as long as the job is known. */
export class IdempotencyKeys {
  readonly #jobs = new Map<string, { id: string; fingerprint: string }>()

  /**
   * The job that was asked for by this key.
   * @throws WuerstchenError INVALID_ARGUMENT, whose subject is `idempotencyKey`, where that was another one
   */
  find(owner: string, { key, fingerprint }: Idempotency): string | undefined {
    const known = this.#jobs.get(nameOf(owner, key))
    if (known !== undefined && known.fingerprint !== fingerprint)
      throw invalid('idempotencyKey', 'a key that stands for the same request as before', key)
    return known?.id
  }

  add({ id, owner, idempotency }: JobView): void {
    if (idempotency !== null) this.#jobs.set(nameOf(owner, idempotency.key), { id, fingerprint: idempotency.fingerprint })
  }

  /** Lets go of a job's key, unless it stands for another one by now. */
  remove({ id, owner, idempotency }: JobView): void {
    if (idempotency === null) return
    const name = nameOf(owner, idempotency.key)
    if (this.#jobs.get(name)?.id === id) this.#jobs.delete(name)
  }
}

function nameOf(owner: string, key: string): string {
  return JSON.stringify([owner, key])
}
