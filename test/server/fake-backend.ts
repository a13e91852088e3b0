import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import { createApp, type LoggerOption } from '../../lib/server/http/app.js'
import type { JobImage, JobResult, Work, WorkEvent } from '../../lib/server/jobs/work.js'
import { MemoryStore } from '../../lib/server/jobs/memory-store.js'
import { serverOptions, type ServerOptions } from '../../lib/server/options.js'
import type { StoreFactory } from '../../lib/server/service.js'
import { NO_TIME } from '../support/fake-native.js'
import { root, withDirectory } from '../support/small-model.js'

/** A run of work that the test settles itself. */
export interface FakeRun {
  model: string
  work: Work
  signal: AbortSignal
  emit(event: WorkEvent): void
  finish(result?: JobResult): void
  fail(error: unknown): void
}

export interface FakeModel {
  name: string
  dispose(): Promise<void>
}

/** Models that load at once and never work by themselves: what is behind the routes, without time and without LibTorch. */
export class FakeBackend {
  readonly runs: FakeRun[] = []
  readonly loads: string[] = []
  readonly disposed: string[] = []
  /** Thrown instead of loading. */
  loadError: unknown
  /** Loads only end when they are aborted. */
  slow = false
  /** Whether work finishes by itself. */
  automatic = false

  async load({ name }: { name: string }, signal: AbortSignal): Promise<FakeModel> {
    this.loads.push(name)
    if (this.slow)
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    if (this.loadError !== undefined) throw this.loadError
    return {
      name,
      dispose: async () => {
        this.disposed.push(name)
      }
    }
  }

  async run({ name }: FakeModel, work: Work, signal: AbortSignal, emit: (event: WorkEvent) => void): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      const run: FakeRun = { model: name, work, signal, emit, finish: (result = resultOf(work)) => resolve(result), fail: reject }
      this.runs.push(run)
      if (this.automatic) run.finish()
    })
  }
}

export function resultOf(work: Work): JobResult {
  if (work.kind === 'embedText' || work.kind === 'embedImage') {
    return { kind: 'embeddings', file: Buffer.from('file'), shape: [work.images, 16, 1, 1], values: [0], seeds: [1] }
  }
  return {
    kind: 'images',
    images: Array.from({ length: work.images }, (_, index) => fakeImage(work, index)),
    timings: { ...NO_TIME, prior: 3 },
    cut: []
  }
}

export function fakeImage(work: Work, index: number): JobImage {
  const format = 'file' in work ? work.file.format : 'png'
  const seed = 100 + index
  return {
    file: Buffer.from(`picture ${index}`),
    format,
    width: 128,
    height: 128,
    seed,
    parameters: {
      prompt: 'p',
      negativePrompt: '',
      width: 128,
      height: 128,
      seed,
      model: { name: 'm', hash: 'h' },
      device: 'cpu',
      dtype: 'float32',
      versions: { wuerstchen: '0', torch: '0' },
      rng: 'torch-cpu'
    }
  }
}

export const tinyModel = join(root, 'models', 'tiny')

/** Runs `body` with a model directory whose manifest is the packaged one's without presets, as those of older versions. */
export const withoutPresets = <T>(body: (directory: string) => Promise<T>): Promise<T> =>
  withDirectory(async directory => {
    const { presets: _, ...manifest } = JSON.parse(readFileSync(join(tinyModel, 'wuerstchen.json'), 'utf8')) as {
      presets: object
    }
    writeFileSync(join(directory, 'wuerstchen.json'), JSON.stringify(manifest))
    return body(directory)
  })

/** A small heart, from the README's picture. */
export const heartPicture = () =>
  sharp(join(root, 'docs', 'pictures', 'readme.png'))
    .extract({ left: 0, top: 0, width: 256, height: 256 })
    .resize(128)
    .removeAlpha()
    .png()
    .toBuffer()

/** A request with a form as browsers and clients write it; a list is a part each. */
export function form(parts: readonly (readonly [name: string, value: string | Buffer])[]) {
  const body = parts.flatMap(([name, value]) => [
    Buffer.from(
      `--b\r\ncontent-disposition: form-data; name="${name}"${typeof value === 'string' ? '' : `; filename="${name}.png"\r\ncontent-type: image/png`}\r\n\r\n`
    ),
    Buffer.from(value),
    Buffer.from('\r\n')
  ])
  return {
    method: 'POST' as const,
    payload: Buffer.concat([...body, Buffer.from('--b--\r\n')]),
    headers: { 'content-type': 'multipart/form-data; boundary=b' }
  }
}

/** A store whose work cannot be changed: whoever tries to fails. */
const freezingStore: StoreFactory = (limits, observers) => {
  const store = new MemoryStore(limits, observers)
  const submit = store.submit.bind(store)
  store.submit = (work, terms) => submit(frozen(work), terms)
  return store
}

/** The value, with everything in it that can be frozen. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const each of Object.values(value)) frozen(each)
    Object.freeze(value)
  }
  return value
}

/** Runs `body` with a server on a fake backend, which is ready, and closes it. */
export async function withFakeServer<T>(
  options: ServerOptions,
  body: (app: FastifyInstance, backend: FakeBackend) => Promise<T>,
  logger: LoggerOption = false,
  store: StoreFactory = freezingStore
): Promise<T> {
  const backend = new FakeBackend()
  const app = await createApp(serverOptions({ models: { tiny: tinyModel }, ...options }), logger, { backend, store })
  try {
    await app.ready()
    await app.wuerstchen.warmUp()
    return await body(app, backend)
  } finally {
    await app.wuerstchen.abort()
    await app.close()
  }
}

/** Waits until a condition holds: for what other parts of the process do, whenever they get to it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds()))
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}

export const json = (payload: object) => ({ method: 'POST' as const, payload, headers: { 'content-type': 'application/json' } })
