import { CommanderError } from 'commander'
import { WuerstchenError } from '../errors.js'
import { exitNow } from '../internal.js'

/** The reason with which running work rejects after the user has asked to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return 130
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return WuerstchenError.is(error, 'INVALID_ARGUMENT') ? 2 : 1
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
    if (controller.signal.aborted) exitNow(130)
    controller.abort(new Interrupted())
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}
