import { CommanderError } from 'commander'
import { WuerstchenError } from '../errors.js'
import { removeTemporaries } from '../files/temporary.js'
import { exitNow } from '../internal.js'

/** The reason with which running work rejects after the user has asked to stop. */
class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** What a program reads of a failure. */
export interface Failure {
  /** A code of `WuerstchenError`, or `INTERRUPTED`. */
  code: string
  message: string
  subject: string | null
}

/** 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return 130
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return WuerstchenError.is(error, 'INVALID_ARGUMENT') ? 2 : 1
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Interrupted) return { code: 'INTERRUPTED', message: 'Interrupted', subject: null }
  if (WuerstchenError.is(error)) return { code: error.code, message: error.message, subject: error.subject }
  const message = error instanceof Error ? error.message : String(error)
  return { code: error instanceof CommanderError ? 'INVALID_ARGUMENT' : 'INTERNAL', message, subject: null }
}

/** Says on stderr what went wrong. It prints a stack only for faults of this package, and not, for example, for a full disk. */
export function report(error: unknown): void {
  if (error instanceof Interrupted) console.error('Interrupted')
  else if (WuerstchenError.is(error)) console.error(`${error.code}: ${error.message}`)
  else if (error instanceof Error) console.error('syscall' in error ? error.message : (error.stack ?? error.message))
  else console.error(error)
}

/**
 * Runs `work` with a signal that Ctrl-C aborts. The work then ends at its next step and leaves nothing half done. A second Ctrl-C
 * ends the process at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) {
      removeTemporaries()
      exitNow(130)
    }
    controller.abort(new Interrupted())
  }
  // A file that becomes larger than it may (`ulimit -f`) would end the process. With a listener, the write fails instead.
  const ignore = () => {}
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGXFSZ', ignore)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGXFSZ', ignore)
  }
}
