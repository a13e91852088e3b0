import { factsOf } from './failure.js'
import type { Order, Outcome, WorkSource } from './store.js'
import type { Runner } from './work.js'

export interface WorkerOptions {
  /** Images that are made at once; a job with more of them runs alone. */
  maxImages: number
  /** Ends the worker, and what it runs. */
  signal: AbortSignal
  /** Hears of work that failed by itself: only here is the error itself still known, with its stack. */
  failed?(job: string, error: unknown): void
}

/** Does what a store has to do, in this process, until the signal is aborted or the store has been drained. */
export async function serveOrders(source: WorkSource, run: Runner, options: WorkerOptions): Promise<void> {
  const running = new Map<string, AbortController>()
  const orders = source.orders(options.maxImages, options.signal)[Symbol.asyncIterator]()
  /** In a call of its own: a loop over orders would hold on to the work of the last one while it waits for the next. */
  const obeyNext = async () => {
    const { done, value: order } = await orders.next()
    if (done === true) return false
    if (order.type === 'stop') running.get(order.id)?.abort()
    else {
      const controller = new AbortController()
      running.set(order.id, controller)
      void perform(source, run, order, controller.signal, options).finally(() => running.delete(order.id))
    }
    return true
  }
  try {
    while (await obeyNext());
  } finally {
    for (const controller of running.values()) controller.abort()
  }
}

async function perform(
  source: WorkSource,
  run: Runner,
  { id, work }: Extract<Order, { type: 'run' }>,
  signal: AbortSignal,
  { failed }: WorkerOptions
): Promise<void> {
  let reports: Promise<unknown> = Promise.resolve()
  let outcome: Outcome
  try {
    const result = await run(work, signal, event => {
      reports = Promise.all([reports, source.report(id, event)])
      // Awaited below; until then a failure is nobody's surprise.
      reports.catch(() => {})
    })
    await reports
    outcome = { state: 'succeeded', result }
  } catch (error) {
    if (!signal.aborted) failed?.(id, error)
    outcome = { state: 'failed', error: factsOf(error) }
  }
  // A store that cannot be reached any more has taken this job for lost.
  await source.settle(id, outcome).catch(error => failed?.(id, error))
}
