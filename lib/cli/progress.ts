import type { LoadProgress, StepEvent } from '../index.js'

const WIDTH = 24

/** One line with a bar, the stage, the step and the time left. */
export function progressLine(stage: string, step: number, steps: number, share: number, elapsedMs: number): string {
  const filled = Math.round(share * WIDTH)
  const left = share > 0 ? duration((elapsedMs / share) * (1 - share)) : '?'
  return `[${'='.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${stage} ${step}/${steps}, ${left} left`
}

export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** A progress bar on stderr if that is a terminal, otherwise nothing. */
export class Progress {
  readonly #shown: boolean
  readonly #images: number
  readonly #stages: number
  readonly #shares = new Map<string, number>()

  /** @param stages how many denoising stages each image goes through */
  constructor(quiet: boolean, images: number, stages: number) {
    this.#shown = !quiet && process.stderr.isTTY === true
    this.#images = images
    this.#stages = stages
  }

  /** A listener for `Pipeline.load`. */
  readonly load = ({ phase, stage, done, total }: LoadProgress) => this.status(`${phase} ${stage} ${done}/${total}`)

  status(text: string): void {
    if (this.#shown) process.stderr.write(`\r\x1b[2K${text}`)
  }

  step({ image, stage, step, steps, elapsedMs }: StepEvent): void {
    if (stage !== 'vqDecoder') this.#shares.set(`${stage} ${image}`, step / steps)
    const done = [...this.#shares.values()].reduce((sum, share) => sum + share, 0)
    const which = this.#images === 1 ? stage : `${stage} of image ${image + 1}/${this.#images}`
    this.status(progressLine(which, step, steps, Math.min(1, done / (this.#images * this.#stages)), elapsedMs))
  }

  clear(): void {
    this.status('')
  }
}
