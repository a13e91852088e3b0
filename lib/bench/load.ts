import { setTimeout as sleep } from 'node:timers/promises'
import type { Pipeline } from '../index.js'
import { poissonArrivals } from './arrivals.js'
import { withEventLoopDelay, type EventLoopDelay } from './event-loop.js'
import { makePicture } from './picture.js'
import type { Bench } from './settings.js'
import { summarise, type Summary } from './statistics.js'

/** Many requests at once. Milliseconds, prompt to PNG. */
export interface Load {
  requests: number
  /** From the first request to the last image. */
  seconds: number
  requestsPerSecond: number
  latency: Summary
  eventLoopDelay: EventLoopDelay
}

export interface ClosedLoad extends Load {
  clients: number
}
export interface OpenLoad extends Load {
  /** Arrivals a second. */ rate: number
}

/** Closed loop: each of n clients sends its next request when it has its image. */
export async function measureClients(pipeline: Pipeline, bench: Bench): Promise<ClosedLoad[]> {
  const {
    settings: { sampling, seed, clients: levels },
    signal,
    tick
  } = bench
  const loads: ClosedLoad[] = []
  for (const clients of levels) {
    const requests = requestsOf(bench, clients)
    const latencies: number[] = []
    let next = 0
    const client = async () => {
      while (next < requests) {
        latencies.push((await makePicture(pipeline, sampling, seed + next++, 1, signal)).endToEnd)
        tick('clients')
      }
    }
    loads.push({ clients, ...(await measureLoad(latencies, () => together(Array.from({ length: clients }, client)))) })
  }
  return loads
}

/** The number of requests of a closed loop. Every client has at least two, because the first ones all arrive at once. */
export function requestsOf({ settings: { requests } }: Pick<Bench, 'settings'>, clients: number): number {
  return Math.max(requests, 2 * clients)
}

/**
 * Open loop: requests arrive at random times at a rate, whether or not earlier ones are done. A request's time runs from when it
 * was due, so that a pipeline that falls behind cannot hide it.
 */
export async function measureArrivals(
  pipeline: Pipeline,
  { settings: { sampling, seed, requests }, signal, tick }: Bench,
  rate: number
): Promise<OpenLoad> {
  const latencies: number[] = []
  return {
    rate,
    ...(await measureLoad(latencies, async () => {
      const started = performance.now()
      const answer = async (request: number, due: number) => {
        await makePicture(pipeline, sampling, seed + request, 1, signal)
        latencies.push(performance.now() - started - due)
        tick('arrivals')
      }
      const answers: Promise<void>[] = []
      for (const [request, due] of poissonArrivals(rate, requests, seed).entries()) {
        await sleep(Math.max(0, started + due - performance.now()), undefined, { signal })
        answers.push(answer(request, due))
        // Its error is handled below. Until then it must not count as unhandled.
        answers.at(-1)!.catch(() => {})
      }
      await together(answers)
    }))
  }
}

async function measureLoad(latencies: number[], work: () => Promise<unknown>): Promise<Load> {
  const started = performance.now()
  const { delay } = await withEventLoopDelay(work)
  const seconds = (performance.now() - started) / 1000
  return {
    requests: latencies.length,
    seconds,
    requestsPerSecond: latencies.length / seconds,
    latency: summarise(latencies),
    eventLoopDelay: delay
  }
}

/** Waits for all, even if one fails, so that nothing still runs during the next measure. */
async function together(work: Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(outcome => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
