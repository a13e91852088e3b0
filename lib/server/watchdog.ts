import type { Roll } from './jobs/roll.js'
import type { Duty } from './jobs/store.js'
import type { Models } from './models/models.js'

/** Work that finishes nothing. */
export interface Stall {
  /** Null where it is not known. */
  model: string | null
  /** The stage that the engine is in; null where it is not the engine that is silent. */
  stage: string | null
  /** How long nothing has been finished. */
  seconds: number
}

export interface StallHooks {
  /** Nothing has been finished for `stallSeconds`. Jobs run, or have ended since then without a result. */
  stalled?(stall: Stall, jobs: { running: string[]; withoutResult: string[] }): void
  /** Something has been finished again; `seconds` is how long that took. */
  recovered?(stall: Stall): void
  /** Nothing has been finished for twice `stallSeconds`. */
  hung?(stall: Stall): void
}

export interface WatchdogOptions {
  /** 0: nothing is ever a stall. */
  stallSeconds: number
  models: Pick<Models, 'all' | 'slot' | 'loading'>
  jobs: Pick<Duty, 'stats'>
  roll: Roll
  hooks: readonly StallHooks[]
}

/** Who is silent: the engine of `model`, or the jobs. */
interface Silence {
  source: 'engine' | 'jobs'
  model: string | null
  stage: string | null
  ms: number
}

/** A stall from its begin to its end. */
interface Episode {
  silence: Silence
  begin: number
  /** How long it has been watched. A process that was stopped for long wakes up to a long silence, and that is no stall. */
  watchedMs: number
  hung: boolean
}

/**
 * Watches that what has work finishes something. Engines are asked themselves, because they work on what was given up too. Jobs
 * count only while no engine works and no model is loaded: else that explains their silence. A load is never a stall: it takes as
 * long as the disk does, and a process that is restarted in the middle of it would only begin again.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #stallMs: number
  readonly #tickMs: number
  readonly #episodes = new Map<string, Episode>()
  readonly #timer: NodeJS.Timeout | undefined
  #ticked = performance.now()
  /** When something last was at work that tells of itself. */
  #explained = performance.now()
  #asking = false

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#stallMs = options.stallSeconds * 1000
    this.#tickMs = Math.min(1000, this.#stallMs / 4)
    if (this.#stallMs > 0) this.#timer = setInterval(() => this.#tick(), this.#tickMs).unref()
  }

  /** The longest silence that is a stall now. */
  async stall(): Promise<Stall | undefined> {
    if (this.#stallMs === 0) return undefined
    const engine = longest(this.#engines())
    if (engine.ms >= this.#stallMs) return stallOf(engine)
    const jobs = await this.#jobs()
    return jobs.ms >= this.#stallMs ? stallOf(jobs) : undefined
  }

  /** What has been silent for twice `stallSeconds`, as the last look found it: it asks nobody. */
  get hung(): Stall | undefined {
    const silences = [...this.#episodes.values()].filter(({ hung }) => hung).map(({ silence }) => silence)
    return silences.length === 0 ? undefined : stallOf(longest(silences))
  }

  /** Keeps the process until `stop`: what is freed has to be watched to its end. */
  hold(): void {
    this.#timer?.ref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const now = performance.now()
    const passed = Math.min(now - this.#ticked, 2 * this.#tickMs)
    this.#ticked = now
    for (const silence of this.#engines()) this.#judge(silence, passed)
    // A store that does not answer is asked once.
    if (this.#asking) return
    this.#asking = true
    void this.#jobs()
      // A store that cannot be asked says nothing of the engine.
      .then(
        silence => this.#judge(silence, passed),
        () => {}
      )
      .finally(() => {
        this.#asking = false
      })
  }

  #engines(): Silence[] {
    const { models } = this.#options
    return models.all.map(({ name }) => {
      const { silentMs, doing } = models.slot(name).silence()
      return { source: 'engine', model: name, stage: doing, ms: silentMs }
    })
  }

  async #jobs(): Promise<Silence> {
    const { jobs, models, roll } = this.#options
    const { silentMs } = await jobs.stats()
    const now = performance.now()
    if (models.loading || longest(this.#engines()).ms > 0) this.#explained = now
    return { source: 'jobs', model: roll.model, stage: null, ms: Math.min(silentMs, now - this.#explained) }
  }

  #judge(silence: Silence, passed: number): void {
    const { hooks, roll } = this.#options
    const key = silence.source === 'jobs' ? 'jobs' : `engine ${silence.model}`
    const episode = this.#episodes.get(key)
    const now = performance.now()
    if (silence.ms < this.#stallMs) {
      if (episode === undefined) return
      this.#episodes.delete(key)
      const over = stallOf({ ...episode.silence, ms: now - silence.ms - episode.begin })
      for (const hook of hooks) hook.recovered?.(over)
    } else if (episode === undefined) {
      const begin = now - silence.ms
      this.#episodes.set(key, { silence, begin, watchedMs: 0, hung: false })
      const { model } = silence
      const jobs = { running: roll.running(model), withoutResult: roll.withoutResult(model, begin) }
      for (const hook of hooks) hook.stalled?.(stallOf(silence), jobs)
    } else {
      episode.silence = silence
      episode.watchedMs += passed
      if (episode.hung || silence.ms < 2 * this.#stallMs || episode.watchedMs < this.#stallMs - this.#tickMs) return
      episode.hung = true
      for (const hook of hooks) hook.hung?.(stallOf(silence))
    }
  }
}

function longest(silences: readonly Silence[]): Silence {
  return silences.reduce((most, each) => (each.ms > most.ms ? each : most))
}

function stallOf({ model, stage, ms }: Silence): Stall {
  return { model, stage, seconds: Math.round(ms / 1000) }
}
