import type {
  EngineEvent,
  EngineHandle,
  EngineRequest,
  EngineResult,
  EngineStats,
  Native,
  NativePixels,
  NativeTask,
  StageHandle,
  TensorHandle
} from '../../lib/native.js'
import { WuerstchenError } from '../../lib/errors.js'

/** A run that the test settles. */
export interface FakeRun {
  engine: EngineHandle
  request: EngineRequest
  emit(event: EngineEvent): void
  /** Emits the images that no `emit` has emitted, then the result. */
  finish(result?: Partial<EngineResult>): void
  /** Ends the run in the way that the addon ends a cancelled one. */
  stop(): void
  fail(error: unknown): void
  cancelled: boolean
}

export const NO_TIME = {
  queued: 0,
  load: 0,
  priorTextEncoder: 0,
  prior: 0,
  decoderTextEncoder: 0,
  decoder: 0,
  vqDecoder: 0,
  previewer: 0,
  total: 0
}

interface FakeTensor {
  shape: number[]
  dtype: string
  data: Uint8Array
}

/** The addon's side of lib/native.ts without LibTorch. It records the calls, and does what the test says. */
export class FakeNative {
  readonly runs: FakeRun[] = []
  readonly engines: { spec: Parameters<Native['createEngine']>[0]; disposed: boolean }[] = []
  readonly liveTensors = new Map<object, FakeTensor>()
  cpuCapability = 'AVX2'
  cuda = { built: false, available: false, devices: 0, reason: 'this LibTorch is a CPU build', architectures: [] as string[] }

  tasks = 6
  /** What `engineStats` says of work that does not go on. */
  silence = (): Pick<EngineStats, 'silentMs' | 'doing'> => ({ silentMs: 0, doing: 'prior' })

  readonly native = {
    initialize: () => false,
    shutdown: () => {},
    runtimeInfo: () => ({ torchVersion: '2.13.0', cpuCapability: this.cpuCapability, threads: 4, cuda: this.cuda }),
    createTensor: (data, shape, dtype) =>
      this.tensor([...shape], dtype, new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()),
    tensorInfo: tensor => {
      const { shape, dtype, data } = this.#live(tensor)
      return { shape: [...shape], dtype: dtype as 'float32', device: 'cpu', bytes: data.length }
    },
    tensorTo: async (tensor, _device, dtype) =>
      this.tensor(this.#live(tensor).shape, dtype ?? this.#live(tensor).dtype, this.#live(tensor).data),
    tensorData: async tensor => this.#live(tensor).data.slice().buffer,
    disposeTensor: tensor => {
      this.liveTensors.delete(tensor)
    },
    loadStage: async () => ({}) as StageHandle,
    runStage: async (_stage, _name, inputs) =>
      inputs.map(input => this.tensor(this.#live(input).shape, 'float32', this.#live(input).data)),
    disposeStage: async () => {},
    createEngine: spec => {
      this.engines.push({ spec, disposed: false })
      return { engine: { index: this.engines.length - 1 } as unknown as EngineHandle, loaded: Promise.resolve() }
    },
    submit: (engine, request, onEvent) => {
      for (const handle of [request.embeddings, request.priorLatents, request.decoderLatents])
        if (handle !== null) this.#live(handle)
      let settle!: { resolve: (result: EngineResult | null) => void; reject: (error: unknown) => void }
      const done = new Promise<EngineResult | null>((resolve, reject) => {
        settle = { resolve, reject }
      })
      const missing = new Map(request.decoder === null ? [] : this.picturesOf(request).entries())
      const run: FakeRun = {
        engine,
        request,
        cancelled: false,
        emit: event => {
          if (event.type === 'image') missing.delete(event.image)
          onEvent(event)
        },
        finish: result => {
          for (const [image, pixels] of missing) onEvent({ type: 'image', image, pixels })
          settle.resolve({ ...this.#result(request), ...result })
        },
        stop: () => settle.resolve(null),
        fail: error => settle.reject(error)
      }
      return { id: this.runs.push(run) - 1, done }
    },
    cancel: (_engine, id) => {
      if (this.runs[id] !== undefined) this.runs[id].cancelled = true
    },
    encodeImage: (_engine, _pixels, { gridHeight, gridWidth }) => this.task([1, 16, gridHeight, gridWidth]),
    engineStats: engine => ({
      queued: 1,
      running: 2,
      completed: 3,
      failed: 4,
      cancelled: 5,
      tasks: this.tasks,
      ...this.silence(),
      threads: this.engines[(engine as unknown as { index: number }).index]!.spec.threads,
      stages: { prior: { ms: 1, runs: 2, rows: 3, fallbacks: 4 } },
      batchSizes: { 2: 7 },
      bytes: { prior: 8 }
    }),
    disposeEngine: async engine => {
      this.engines[(engine as unknown as { index: number }).index]!.disposed = true
      for (const run of this.runs)
        if (run?.engine === engine)
          run.fail(new WuerstchenError('DISPOSED', 'Expected a live pipeline but it was disposed', { subject: 'pipeline' }))
    }
  } satisfies Partial<Native> as unknown as Native

  tensor(shape: number[], dtype: string, data: Uint8Array): TensorHandle {
    const handle = {}
    this.liveTensors.set(handle, { shape, dtype, data })
    return handle as TensorHandle
  }

  /** A task that gives zeros. Its id is of no run. */
  task(shape: number[]): NativeTask {
    const tensor = this.tensor(shape, 'float32', new Uint8Array(4 * shape.reduce((a, b) => a * b)))
    return { id: -1, done: Promise.resolve(tensor) }
  }

  #live(handle: object): FakeTensor {
    const tensor = this.liveTensors.get(handle)
    if (tensor === undefined)
      throw new WuerstchenError('DISPOSED', 'Expected a live tensor but it has been disposed', { subject: 'tensor' })
    return tensor
  }

  /** The images of a request. Each is filled with its seed. */
  picturesOf({ images, gridHeight, gridWidth }: EngineRequest): NativePixels[] {
    const [width, height] = [Math.trunc(gridWidth * 10.67) * 4, Math.trunc(gridHeight * 10.67) * 4]
    return images.map(({ seed }) => ({ width, height, data: new Uint8Array(width * height * 3).fill(seed % 256) }))
  }

  #result({ images, gridHeight, gridWidth }: EngineRequest): EngineResult {
    const shape = [images.length, 16, gridHeight, gridWidth]
    return {
      embeddings: this.tensor(shape, 'float32', new Uint8Array(4 * shape.reduce((a, b) => a * b))),
      randomOffsets: images.map(image => image.randomOffset + 100),
      timings: NO_TIME
    }
  }
}
