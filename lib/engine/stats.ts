import type { EngineStats } from '../native.js'
import type { BatchLimits } from './batch-limits.js'
import type { Engine } from './engine.js'

/** Of several engines, `silentMs` and `doing` are those of the one that has been silent for longest. */
export interface PipelineStats extends EngineStats {
  /** The same figures for each engine, with its device. */
  engines: (EngineStats &
    BatchLimits & {
      /** `cpu`, `cuda:0`, … */
      device: string
    })[]
}

/** The sum over all engines, and the figures of each. Silence has no sum: the longest counts. */
export function sumStats(all: readonly Engine[]): PipelineStats {
  const engines = all.map(engine => ({ device: engine.device, ...engine.limits, ...engine.stats() }))
  const total: EngineStats = {
    queued: 0,
    running: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    tasks: 0,
    threads: 0,
    silentMs: 0,
    doing: engines[0]?.doing ?? null,
    stages: {},
    batchSizes: {},
    bytes: {}
  }
  for (const engine of engines) {
    for (const key of ['queued', 'running', 'completed', 'failed', 'cancelled', 'tasks', 'threads'] as const)
      total[key] += engine[key]
    if (engine.silentMs > total.silentMs) {
      total.silentMs = engine.silentMs
      total.doing = engine.doing
    }
    for (const [stage, { ms, runs, rows, fallbacks }] of Object.entries(engine.stages)) {
      const sum = (total.stages[stage] ??= { ms: 0, runs: 0, rows: 0, fallbacks: 0 })
      sum.ms += ms
      sum.runs += runs
      sum.rows += rows
      sum.fallbacks += fallbacks
    }
    addTo(total.batchSizes, engine.batchSizes)
    addTo(total.bytes, engine.bytes)
  }
  return { ...total, engines }
}

function addTo(sums: Record<string, number>, values: Record<string, number>): void {
  for (const [key, value] of Object.entries(values)) sums[key] = (sums[key] ?? 0) + value
}
