import type { EngineRequest } from '../../../../lib/native.js'
import { FakeNative, type FakeRun } from '../../../support/fake-native.js'

/**
 * An engine without LibTorch that takes its steps as the real one does, one a turn of the event loop, and stops at the first
 * step after a cancel. What is fake is the arithmetic alone: its pictures are of one colour. Texts, plans, uploads, files and
 * replies are the library's and the server's own.
 */
export class SteppingEngine extends FakeNative {
  /** Steps that were taken for requests that had been cancelled. */
  stepsAfterCancel = 0
  /** Thrown by the next runs instead of a result. */
  failure: unknown

  constructor() {
    super()
    const { submit } = this.native
    this.native.submit = (engine, request, onEvent) => {
      const submitted = submit(engine, request, onEvent)
      const run = this.runs[submitted.id]!
      void this.#work(run).then(() => {
        // Thousands of requests are made; what they asked for is not kept.
        delete this.runs[submitted.id]
      })
      return submitted
    }
    const grid = (gridHeight: number, gridWidth: number, channels: number) =>
      this.tensor([1, channels, gridHeight, gridWidth], 'float32', new Uint8Array(4 * channels * gridHeight * gridWidth))
    this.native.encodeLatents = async (_, { height, width }) => grid(height / 4, width / 4, 4)
    this.native.cancel = (_, id) => {
      if (this.runs[id] !== undefined) this.runs[id].cancelled = true
    }
  }

  async #work(run: FakeRun): Promise<void> {
    for (const { image, stage, step, steps } of stepsOf(run.request)) {
      await new Promise(resolve => {
        setImmediate(resolve)
      })
      if (run.cancelled) return run.fail(Object.assign(new Error('cancelled'), { code: 'CANCELLED' }))
      if (this.failure !== undefined) return run.fail(this.failure)
      run.emit({ type: 'step', image, stage, step, steps, timestep: 1 - step / steps, batch: 1 })
    }
    if (run.request.decoderTimesteps !== null)
      for (const [image, pixels] of this.pixelsOf(run.request).entries()) run.emit({ type: 'image', image, pixels })
    run.finish()
  }

  private pixelsOf({ images, gridHeight, gridWidth }: EngineRequest) {
    const [width, height] = [Math.trunc(gridWidth * 10.67) * 4, Math.trunc(gridHeight * 10.67) * 4]
    return images.map(({ seed }) => ({ width, height, data: new Uint8Array(width * height * 3).fill(seed % 256) }))
  }
}

function* stepsOf({ images, priorTimesteps, decoderTimesteps }: EngineRequest) {
  for (const [stage, timesteps] of [
    ['prior', priorTimesteps],
    ['decoder', decoderTimesteps]
  ] as const) {
    const steps = timesteps === null ? 0 : timesteps.length - 1
    for (let step = 1; step <= steps; step++) for (const image of images.keys()) yield { image, stage, step, steps }
  }
}
