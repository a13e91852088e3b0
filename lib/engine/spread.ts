import { loadAddon } from '../load/addon.js'
import type { EngineEvent, EngineRequest, EngineResult, TensorHandle } from '../native.js'
import type { Timings } from '../timings.js'
import type { Engine } from './engine.js'

type OnEvent = (event: EngineEvent) => void

/** The images of a request that one engine makes, by their index in the request. */
interface Share {
  engine: Engine
  images: number[]
}

/** Runs each image of a request on the engine that has the least to do at that moment. Images do not depend on each other. */
export async function spread(
  engines: readonly Engine[],
  request: EngineRequest,
  signal: AbortSignal,
  onEvent: OnEvent
): Promise<EngineResult> {
  const shares = shareOut(engines, request)
  if (shares.length === 1) return shares[0]!.engine.run(request, signal, onEvent)
  // If one fails, the others are cancelled, because a part of a result is not a result.
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const runs = shares.map(async ({ engine, images }) => {
    try {
      return await engine.run({ ...request, images: images.map(index => request.images[index]!) }, either, event =>
        onEvent({ ...event, image: images[event.image]! })
      )
    } catch (error) {
      failed.abort(error)
      throw error
    }
  })
  const outcomes = await Promise.allSettled(runs)
  const results = outcomes.filter(outcome => outcome.status === 'fulfilled').map(outcome => outcome.value)
  try {
    either.throwIfAborted()
    return await merge(shares, results)
  } finally {
    for (const { embeddings } of results) loadAddon().disposeTensor(embeddings)
  }
}

function shareOut(engines: readonly Engine[], request: EngineRequest): Share[] {
  const shares = engines.map(engine => ({ engine, images: [] as number[], load: engine.load }))
  const least = () => shares.reduce((first, share) => (share.load < first.load ? share : first))
  // Tensors have a row for each image, so such requests are not split.
  if (hasTensors(request)) return [{ engine: least().engine, images: [...request.images.keys()] }]
  for (const index of request.images.keys()) {
    const share = least()
    share.images.push(index)
    share.load++
  }
  return shares.filter(share => share.images.length > 0)
}

function hasTensors({ priorLatents, embeddings, mask, decoderLatents, decoderSource }: EngineRequest): boolean {
  return [priorLatents, embeddings, mask, decoderLatents, decoderSource].some(tensor => tensor !== null && tensor !== undefined)
}

/** Joins the parts in the order of the request. */
async function merge(shares: readonly Share[], results: readonly EngineResult[]): Promise<EngineResult> {
  const merged: Omit<EngineResult, 'embeddings'> = { randomOffsets: [], timings: longest(results.map(result => result.timings)) }
  for (const [part, { images }] of shares.entries()) {
    for (const [row, index] of images.entries()) merged.randomOffsets[index] = results[part]!.randomOffsets[row]!
  }
  return {
    ...merged,
    embeddings: await mergeRows(
      shares,
      results.map(result => result.embeddings)
    )
  }
}

/** Rows of float32 tensors on the CPU, in the order of the request. */
async function mergeRows(shares: readonly Share[], tensors: readonly TensorHandle[]): Promise<TensorHandle> {
  const native = loadAddon()
  const [, ...rest] = native.tensorInfo(tensors[0]!).shape
  const size = rest.reduce((product, length) => product * length, 1)
  const count = shares.reduce((sum, { images }) => sum + images.length, 0)
  const all = new Float32Array(count * size)
  for (const [part, { images }] of shares.entries()) {
    const rows = new Float32Array(await native.tensorData(tensors[part]!))
    images.forEach((index, row) => all.set(rows.subarray(row * size, (row + 1) * size), index * size))
  }
  return native.createTensor(all, [count, ...rest], 'float32')
}

/** The parts ran side by side, so the longest time counts. */
function longest(timings: readonly Timings[]): Timings {
  const [first, ...others] = timings
  return Object.fromEntries(
    Object.entries(first!).map(([key, ms]) => [key, Math.max(ms, ...others.map(other => other[key as keyof Timings]))])
  ) as unknown as Timings
}
