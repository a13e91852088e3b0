import { channel } from 'node:diagnostics_channel'
import type { ServiceHooks } from '../service.js'

/** Channels of node:diagnostics_channel, and what is published on each. `docs/monitoring.md` lists exactly these (tested). */
export const CHANNELS = {
  /** `{ job }`, when a job was accepted. */
  jobQueued: 'wuerstchen.job.queued',
  /** `{ job }`, when its work begins. */
  jobStarted: 'wuerstchen.job.started',
  /** `{ job, timings }`, when it has ended, however it did. */
  jobEnded: 'wuerstchen.job.ended',
  /** `{ model, ms }`: a name, and how long loading took in milliseconds. */
  modelLoaded: 'wuerstchen.model.loaded',
  /** `{ model }`: a name. */
  modelUnloaded: 'wuerstchen.model.unloaded'
} as const

/** Tells whoever subscribed in this process: a bridge to OpenTelemetry, say. Costs next to nothing where nobody did. */
export function publishing(): ServiceHooks {
  const [queued, started, ended, loaded, unloaded] = Object.values(CHANNELS).map(name => channel(name)) as [
    Channel,
    Channel,
    Channel,
    Channel,
    Channel
  ]
  return {
    queued: job => queued.publish({ job }),
    started: job => started.publish({ job }),
    ended: (job, timings) => ended.publish({ job, timings }),
    loaded: (model, ms) => loaded.publish({ model, ms }),
    unloaded: model => unloaded.publish({ model })
  }
}

type Channel = ReturnType<typeof channel>
