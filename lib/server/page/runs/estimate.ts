import type { Model } from '../api/models.js'
import type { Ask } from './ask.js'
import { fractionOf, isOver, type Run } from './run.js'

/** As many of the last runs speak for the next one. */
const MOST_MEASURED = 5
/** Until then the pace of a run says less than those before it. */
const TELLING = 0.15

/** How long runs take, by those of this browser that are over. */
export class Estimates {
  readonly #modelOf: (name: string) => Model | undefined
  readonly #runs: () => readonly Run[]

  constructor(runs: () => readonly Run[], modelOf: (name: string) => Model | undefined) {
    this.#runs = runs
    this.#modelOf = modelOf
  }

  /** Milliseconds until everything that is not over is done; undefined where nobody can know. */
  get left(): number | undefined {
    const times = this.#runs()
      .filter(run => !isOver(run))
      .map(run => this.leftOf(run))
    return times.some(time => time === undefined) ? undefined : times.reduce<number>((sum, time) => sum + time!, 0)
  }

  /** Milliseconds of work that a run still needs, without what is before it. */
  leftOf(run: Run): number | undefined {
    const whole = this.of(run.ask)
    if (run.startedAt === undefined) return whole
    const elapsed = Date.now() - run.startedAt
    const done = run.slots.reduce((sum, slot) => sum + (fractionOf(run, slot) ?? 0), 0) / run.slots.length
    if (done >= TELLING) return (elapsed / done) * (1 - done)
    return whole === undefined ? undefined : Math.max(0, whole - elapsed)
  }

  /** The median of the last runs with the same settings; else of the last with the same model, by their amount of work. */
  of(ask: Ask): number | undefined {
    const measured = this.#runs().filter(
      run => run.timings !== undefined && run.ask.model === ask.model && run.ask.start?.mode === ask.start?.mode
    )
    const work = this.#workOf(ask)
    const same = measured.filter(run => this.#workOf(run.ask) === work).slice(0, MOST_MEASURED)
    if (same.length > 0) return median(same.map(timeOf))
    const paces = measured.slice(0, MOST_MEASURED).map(run => timeOf(run) / this.#workOf(run.ask))
    return paces.length > 0 ? median(paces) * work : undefined
  }

  /** Pixels times steps. */
  #workOf({ model: name, size, count, preset = 'reference', priorSteps = 0, decoderSteps = 0 }: Ask): number {
    const model = this.#modelOf(name)
    const [width = 1, height = 1] = (size === 'auto' ? (model?.default_size ?? '') : size)
      .split('x')
      .map(side => Number(side) || 1)
    const own = model?.presets[preset]
    const steps = (priorSteps || own?.prior_steps || 1) + (decoderSteps || own?.decoder_steps || 1)
    return width * height * count * steps
  }
}

function timeOf({ timings = {} }: Run): number {
  return (timings['total'] ?? 0) - (timings['queued'] ?? 0)
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
