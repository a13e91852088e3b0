import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Milliseconds by which a timer came late while something ran. */
export interface EventLoopDelay {
  samples: number
  p50: number
  p90: number
  p99: number
  max: number
}

/** How often the timer fires. The monitor reports the whole gap between two ticks, so this is subtracted again. */
const INTERVAL_MS = 10

/** Runs `work`, and measures how long the event loop kept others waiting meanwhile. */
export async function withEventLoopDelay<T>(work: () => Promise<T>): Promise<{ result: T; delay: EventLoopDelay }> {
  const monitor = monitorEventLoopDelay({ resolution: INTERVAL_MS })
  monitor.enable()
  const result = await work().finally(() => monitor.disable())
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - INTERVAL_MS)
  const [p50, p90, p99] = [50, 90, 99].map(share => late(monitor.percentile(share))) as [number, number, number]
  return { result, delay: { samples: monitor.count, p50, p90, p99, max: late(monitor.max) } }
}
