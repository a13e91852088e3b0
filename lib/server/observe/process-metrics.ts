import { collectDefaultMetrics, Registry } from 'prom-client'

/** Gauges that end as counters do, each the sum of another that has no such end. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

let registry: Registry | undefined

/**
 * Metrics of the process: its memory, the delay of its event loop. All servers of a process share them: prom-client starts
 * observers for every registry, and has no way to end them.
 */
export function processMetrics(): Registry {
  if (registry !== undefined) return registry
  registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  return registry
}
