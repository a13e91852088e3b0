import { fromBase64, toBase64 } from '../api/base64.js'
import type { Model } from '../api/models.js'
import { sendForJson } from '../api/send.js'
import type { Ask, Start } from './ask.js'

/** A picture in the space in which pictures are mixed: its numbers, and what the file says of them. */
interface Embeddings {
  values: Float32Array
  shape: number[]
  sha256: string | undefined
}

interface Header {
  embeddings: { dtype: string; shape: number[]; data_offsets: [number, number] }
  __metadata__?: { wuerstchen?: string }
}

/** The same picture is read by the server once for each size. */
const known = new WeakMap<Blob, Map<string, Promise<Embeddings>>>()

/**
 * Embeddings on the straight line between two pictures, one for each picture that is asked for: a safetensors file in base64,
 * as `POST /v1/image-embeddings/decode` takes it.
 * @throws Refusal, Unreachable
 */
export async function mixPictures(
  { model, size, count }: Ask,
  { file, second }: Start,
  facts: Model | undefined
): Promise<string> {
  if (second === undefined) throw new Error('Choose a second picture.')
  // Both in one size: pictures of two sizes cannot be mixed.
  const both = size === 'auto' ? (facts?.default_size ?? size) : size
  const [from, to] = await Promise.all([embed(file, model, both), embed(second.file, model, both)])
  if (from.shape.join() !== to.shape.join()) throw new Error('The two pictures are of two sizes. Choose a size.')
  const mixed = from.values.map((value, index) => value + (to.values[index]! - value) * second.share)
  const parts = [
    { weight: 1 - second.share, ...(from.sha256 === undefined ? {} : { sha256: from.sha256 }) },
    { weight: second.share, ...(to.sha256 === undefined ? {} : { sha256: to.sha256 }) }
  ]
  return toBase64(encode(mixed, from.shape, count, parts))
}

function embed(file: Blob, model: string, size: string): Promise<Embeddings> {
  const sizes = known.get(file) ?? new Map<string, Promise<Embeddings>>()
  known.set(file, sizes)
  const name = `${model} ${size}`
  let embeddings = sizes.get(name)
  if (embeddings === undefined) {
    embeddings = request(file, model, size)
    sizes.set(name, embeddings)
    // What failed is asked for again.
    embeddings.catch(() => sizes.delete(name))
  }
  return embeddings
}

async function request(file: Blob, model: string, size: string): Promise<Embeddings> {
  const body = { model, size, image: await toBase64(file) }
  const { data } = await sendForJson<{ data: string }>('v1/image-embeddings', { method: 'POST', body })
  return decode(await fromBase64(data, '').arrayBuffer())
}

/** Reads a safetensors file: the length of a JSON header in 8 bytes, the header, the numbers. */
function decode(file: ArrayBuffer): Embeddings {
  const length = Number(new DataView(file).getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length))) as Header
  const { dtype, shape, data_offsets: offsets } = header.embeddings
  if (dtype !== 'F32') throw new Error(`Expected embeddings of type F32 but received ${dtype}.`)
  const [origin] = JSON.parse(header.__metadata__?.wuerstchen ?? '[]') as { origin?: { input?: { sha256?: string } } }[]
  return {
    values: new Float32Array(file.slice(8 + length + offsets[0], 8 + length + offsets[1])),
    shape,
    sha256: origin?.origin?.input?.sha256
  }
}

/** The same embeddings `count` times, with what they were mixed from. */
function encode(values: Float32Array, shape: readonly number[], count: number, mixedFrom: object[]): Blob {
  const origins = Array.from({ length: count }, () => ({ randomOffset: 0, origin: { mixedFrom } }))
  const header = JSON.stringify({
    __metadata__: { space: 'e', wuerstchen: JSON.stringify(origins) },
    embeddings: { dtype: 'F32', shape: [count, ...shape.slice(1)], data_offsets: [0, values.byteLength * count] }
  })
  // Spaces after the header put the numbers on a multiple of 8 bytes.
  const bytes = new TextEncoder().encode(header.padEnd(Math.ceil(header.length / 8) * 8))
  const length = new DataView(new ArrayBuffer(8))
  length.setBigUint64(0, BigInt(bytes.length), true)
  return new Blob([length, bytes, ...Array.from({ length: count }, () => values as Float32Array<ArrayBuffer>)])
}
