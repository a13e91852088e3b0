import type { Pipeline } from '../index.js'
import { CALL_STAGES, makePicture, type CallTimes } from './picture.js'
import type { Bench } from './settings.js'
import { summarise, type Summary } from './statistics.js'

/** One image at a time, after the warm-up. Milliseconds. */
export interface Latency {
  endToEnd: Summary
  stages: Record<string, Summary>
}

/** Images of one prompt in one call. Milliseconds. */
export interface Batch {
  batch: number
  endToEnd: Summary
  imagesPerSecond: number
  /** The process's high-water mark after this size. Sizes ascend, so this size has caused it. */
  peakBytes: number
}

/** The first calls of a fresh pipeline. They count in no other figure. */
export async function warmUp(
  pipeline: Pipeline,
  { settings: { sampling, seed, warmUp }, signal, tick }: Bench
): Promise<number[]> {
  const times: number[] = []
  for (let call = 0; call < warmUp; call++) {
    times.push((await makePicture(pipeline, sampling, seed, 1, signal)).endToEnd)
    tick('warm-up')
  }
  return times
}

export async function measureLatency(
  pipeline: Pipeline,
  { settings: { sampling, seed, runs }, signal, tick }: Bench
): Promise<Latency> {
  const calls: CallTimes[] = []
  for (let run = 0; run < runs; run++) {
    calls.push(await makePicture(pipeline, sampling, seed + run, 1, signal))
    tick('latency')
  }
  return {
    endToEnd: summarise(calls.map(call => call.endToEnd)),
    stages: Object.fromEntries(CALL_STAGES.map(stage => [stage, summarise(calls.map(call => call.stages[stage]!))]))
  }
}

export async function measureBatches(
  pipeline: Pipeline,
  { settings: { sampling, seed, runs, batchSizes }, signal, tick }: Bench
): Promise<Batch[]> {
  const batches: Batch[] = []
  for (const batch of batchSizes) {
    const times: number[] = []
    // The first call of a size is slower, because kernels are chosen by shape.
    for (let run = -1; run < runs; run++) {
      const { endToEnd } = await makePicture(pipeline, sampling, seed, batch, signal)
      if (run >= 0) times.push(endToEnd)
      tick('batches', batch)
    }
    const endToEnd = summarise(times)
    batches.push({ batch, endToEnd, imagesPerSecond: (1000 * batch) / endToEnd.p50, peakBytes: peakBytes() })
  }
  return batches
}

/** The most memory this process has had in use so far. */
export function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024
}
