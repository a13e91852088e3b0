import type { FastifyInstance } from 'fastify'
import { exitNow } from '../internal.js'

/** EX_SOFTWARE of sysexits.h. */
export const EXIT_HUNG = 70

/** Log lines are written asynchronously. A reader that is slower than this does not keep a process that hangs. */
export const FLUSH_MS = 500

/** From the end of the grace time until the process ends without the engine: less than a second, for machines are busy. */
const [FORCE_MS, LAST_LINE_MS] = [300, 30]

/**
 * SIGTERM and SIGINT end the server, and the process with it: within the grace time and a second, whatever the engine does. A
 * second one ends the process at once. SIGHUP, which ends other processes, reads again what may change while the server runs.
 * @param starting the server. Signals count from now on: it already listens when it opens LibTorch, which takes seconds.
 * @param reload what it rejects with is logged, and all stays as it was
 */
export function obeySignals(starting: Promise<FastifyInstance>, reload: (server: FastifyInstance) => Promise<object>): void {
  // Whoever starts the server hears of its failure.
  const started = (act: (server: FastifyInstance) => Promise<void>) => starting.then(act, () => {})
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    // A user who asks twice does not want to wait.
    if (stopping) exitNow(130)
    stopping = true
    void started(async server => {
      server.log.info({ signal }, 'shutting down')
      const { graceSeconds } = server.wuerstchen
      const timer = setTimeout(() => force(server), graceSeconds * 1000 + FORCE_MS)
      await server.close().catch((error: unknown) => server.log.error({ err: error }, 'the server did not end as it should'))
      // What else keeps the process keeps it no longer than that either.
      timer.unref()
      process.off('SIGINT', stop).off('SIGTERM', stop)
    })
  }
  let reloading = Promise.resolve()
  const hangUp = () => {
    // One after the other: of two files, the later one is to hold.
    reloading = reloading.then(() =>
      started(server =>
        reload(server).then(
          details => server.log.info(details, 'the files of API keys and of TLS were read again'),
          (error: unknown) =>
            server.log.error({ err: error }, 'the files of API keys and of TLS cannot be read again: what was read before stays')
        )
      )
    )
  }
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', hangUp)
  // A server that does not start needs no signals, and its process may go on.
  starting.catch(() => process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', hangUp))
}

/** Everybody has been answered, or cut off, by now: only the engine does not come to the end of what it does. */
function force({ log, wuerstchen: { graceSeconds } }: FastifyInstance): void {
  log.error({ graceSeconds }, 'the engine has not ended in time: the process ends without it')
  setTimeout(() => exitNow(EXIT_HUNG), LAST_LINE_MS)
}
