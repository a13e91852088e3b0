import { invalid } from '../errors.js'
import type { EmbeddingOrigin, EmbeddingParts } from './embedding-parts.js'
import type { MixedPart } from '../image/parameters.js'
import { expectInteger } from '../options/is.js'
import { copyList } from '../options/read.js'
import { expectFinite } from './finite.js'
import { Tensor } from './tensor.js'
import { floatsOf } from './rows.js'

/** The most steps of one interpolation. */
const MOST_FRAMES = 4096

/** The weighted mean of embeddings of the same shape, row by row. */
export async function mixed(parts: readonly EmbeddingParts[], weights: readonly number[]): Promise<EmbeddingParts> {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const shares = weights.map(weight => weight / total)
  const values = await valuesOf(parts)
  const data = blend(values, shares)
  const [first] = parts
  return {
    tensor: Tensor.from(data, first!.tensor.shape),
    randomOffsets: first!.origins.map(() => 0),
    origins: first!.origins.map((_, row) => originOf(parts.flatMap((part, index) => partsOf(part, row, shares[index]!))))
  }
}

/** `count` embeddings on the straight line from `from` to `to`, both included. */
export async function interpolated(from: EmbeddingParts, to: EmbeddingParts, count: unknown): Promise<EmbeddingParts> {
  const frames = expectInteger('n', count, 2, MOST_FRAMES)
  for (const [name, { origins }] of Object.entries({ from, to })) {
    if (origins.length !== 1) throw invalid(`${name}.length`, '1, a single embedding,', origins.length)
  }
  const values = await valuesOf([from, to])
  const size = values[0]!.length
  const data = new Float32Array(frames * size)
  const shares = Array.from({ length: frames }, (_, index) => index / (frames - 1))
  shares.forEach((share, index) => data.set(blend(values, [1 - share, share]), index * size))
  return {
    tensor: Tensor.from(data, [frames, ...from.tensor.shape.slice(1)]),
    randomOffsets: shares.map(() => 0),
    origins: shares.map(share => originOf([...partsOf(from, 0, 1 - share), ...partsOf(to, 0, share)]))
  }
}

/** The given weights, or equal ones. They need not sum to 1, because the mean divides by their sum. */
export function expectWeights(weights: unknown, count: number): number[] {
  if (weights === undefined) return new Array<number>(count).fill(1)
  const list = copyList('weights', weights, count)
  if (list?.length !== count || !list.every((weight): weight is number => Number.isFinite(weight)))
    throw invalid('weights', `a list of ${count} numbers, one for each of the embeddings,`, list ?? weights)
  const sum = list.reduce((total, weight) => total + weight, 0)
  if (!(sum > 0 && sum < Infinity)) throw invalid('weights', 'numbers with a finite sum above 0', list)
  return list
}

/** Checks that the embeddings have one shape, and therefore one grid. */
export function expectSameShape(parts: readonly EmbeddingParts[]): void {
  const [first, ...rest] = parts.map(part => part.tensor.shape)
  const other = rest.findIndex(shape => shape.join() !== first!.join())
  if (other >= 0) throw invalid(`embeddings[${other + 1}].shape`, `[${first!.join(', ')}], as the first has,`, rest[other])
}

async function valuesOf(parts: readonly EmbeddingParts[]): Promise<Float32Array[]> {
  const values = await Promise.all(parts.map(part => floatsOf(part.tensor)))
  values.forEach((value, index) => expectFinite(`embeddings[${index}]`, value, 'float32'))
  return values
}

function blend(values: readonly Float32Array[], shares: readonly number[]): Float32Array {
  return values[0]!.map((_, index) => values.reduce((sum, value, part) => sum + shares[part]! * value[index]!, 0))
}

/** Embeddings that are mixed themselves count with their own parts. */
function partsOf({ origins }: EmbeddingParts, row: number, weight: number): MixedPart[] {
  const { prompt, seed, input, mixedFrom } = origins[row] ?? {}
  if (mixedFrom !== undefined) return mixedFrom.map(part => ({ ...part, weight: part.weight * weight }))
  return [
    {
      weight,
      ...(prompt === undefined ? {} : { prompt }),
      ...(seed === undefined ? {} : { seed }),
      ...(input === undefined ? {} : { sha256: input.sha256 })
    }
  ]
}

function originOf(parts: MixedPart[]): EmbeddingOrigin {
  return { mixedFrom: parts }
}
