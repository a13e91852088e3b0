import { exitNow } from '../internal.js'

/** EX_SOFTWARE of sysexits.h. */
export const EXIT_HUNG = 70

/** Log lines are written asynchronously. A reader that is slower than this does not keep a process that hangs. */
export const FLUSH_MS = 500

/** How much later than the grace time the process has ended. */
const LAST_MS = 1000

/** A server as signals see it. */
export interface Endable {
  close(): Promise<unknown>
  log: Record<'info' | 'warn' | 'error' | 'fatal', (details: object, message: string) => void>
}

export interface SignalOptions {
  graceSeconds: number
  /** Reads again what may change while the server runs; what it rejects with is logged, and all stays as it was. */
  reload(): Promise<object>
}

/**
 * SIGTERM and SIGINT end the server, and the process with it: within the grace time and a second, whatever the engine does. A second
 * one ends the process at once. SIGHUP reads the keys again, where others end by default.
 */
export function obeySignals(server: Endable, { graceSeconds, reload }: SignalOptions): void {
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    // A user who asks twice does not want to wait.
    if (stopping) exitNow(130)
    stopping = true
    server.log.info({ signal }, 'shutting down')
    const force = () => {
      server.log.fatal({ graceSeconds }, `the server has not ended: the process ends with exit code ${EXIT_HUNG}`)
      setTimeout(() => exitNow(EXIT_HUNG), Math.min(FLUSH_MS, LAST_MS / 10))
    }
    const timer = setTimeout(force, graceSeconds * 1000 + (LAST_MS * 9) / 10)
    void server
      .close()
      .catch((error: unknown) => server.log.error({ err: error }, 'the server did not end as it should'))
      .finally(() => {
        // What else keeps the process keeps it no longer than that either.
        timer.unref()
        process.off('SIGINT', stop).off('SIGTERM', stop)
      })
  }
  let reloading = Promise.resolve()
  const hangUp = () => {
    // One after the other: of two files, the later one is to hold.
    reloading = reloading.then(reload).then(
      details => server.log.info(details, 'the API keys were read again'),
      (error: unknown) => server.log.error({ err: error }, 'the API keys cannot be read again: the old ones stay')
    )
  }
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', hangUp)
}
