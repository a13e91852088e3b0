import type { EngineEvent, EngineRequest, StageName } from '../../../../lib/native.js'
import { FakeNative, type FakeRun } from '../../../support/fake-native.js'

/**
 * An engine without LibTorch. It takes one step a turn of the event loop, reports the steps and pictures that the real one
 * reports, in its
 * order, and stops at the first step after a cancel: stepping-engine.test.ts compares the two. Its pictures are of one colour,
 * and it makes no batches of several requests. Texts, plans, uploads, files and replies are the library's and the server's own.
 */
export class SteppingEngine extends FakeNative {
  /** Thrown by the next runs instead of a result. */
  failure: unknown
  /** Pending while no step is finished. */
  #stuck: Promise<void> | undefined
  #goOn = () => {}
  #working = 0
  #finished = 0
  #doing: StageName | null = null

  constructor() {
    super()
    const { submit } = this.native
    this.native.submit = (engine, request, onEvent) => {
      const submitted = submit(engine, request, onEvent)
      const run = this.runs[submitted.id]!
      if (this.#working++ === 0) this.#finished = performance.now()
      void this.#work(run).then(() => {
        this.#working--
        // Thousands of requests are made; what they asked for is not kept.
        delete this.runs[submitted.id]
      })
      return submitted
    }
    this.native.encodeLatents = (_, { height, width }) => this.task([1, 4, height / 4, width / 4])
    this.tasks = 0
    this.silence = () => ({ silentMs: this.#working === 0 ? 0 : performance.now() - this.#finished, doing: this.#doing })
  }

  /** Finishes no step, and stops at none, until `goOn`. */
  hang(): void {
    this.#stuck = new Promise(resolve => {
      this.#goOn = resolve
    })
  }

  goOn(): void {
    this.#stuck = undefined
    this.#goOn()
  }

  async #work(run: FakeRun): Promise<void> {
    for (const events of this.#turnsOf(run.request)) {
      await new Promise(resolve => {
        setImmediate(resolve)
      })
      const [first] = events
      this.#doing = first?.type === 'step' ? first.stage : this.#doing
      await this.#stuck
      this.#finished = performance.now()
      if (run.cancelled) return run.stop()
      if (this.failure !== undefined) return run.fail(this.failure)
      for (const event of events) run.emit(event)
    }
    run.finish()
  }

  /** What each step reports: all images of the request share one, and Stage A makes one picture a turn. */
  *#turnsOf(request: EngineRequest): Generator<EngineEvent[]> {
    const { images } = request
    for (const stage of ['prior', 'decoder'] as const) {
      const timesteps = request[stage]?.timesteps ?? [0]
      const steps = timesteps.length - 1
      for (let step = 1; step <= steps; step++) {
        const timestep = timesteps[step - 1]!
        yield [...images.keys()].map(image => ({ type: 'step', image, stage, step, steps, timestep, batch: images.length }))
      }
    }
    if (request.decoder === null) return
    for (const [image, pixels] of this.picturesOf(request).entries()) {
      yield [
        { type: 'step', image, stage: 'vqDecoder', step: 1, steps: 1, timestep: 0, batch: 1 },
        { type: 'image', image, pixels }
      ]
    }
  }
}
