import { z } from 'zod'
import { DTYPE_NAMES, DTYPES, type Dtype } from '../dtypes.js'
import { WuerstchenError, type ErrorCode } from '../errors.js'
import { codeOfFault, withFault } from '../files/file-fault.js'
import { parseJson, type JsonBounds } from '../files/json.js'
import { readPlainFile } from '../files/plain-file.js'
import { Tensor } from './tensor.js'

/**
 * Reads and writes the safetensors format: the header's length (8 bytes, little endian), a JSON header, the tensors' bytes.
 * Source: the format's description in the huggingface/safetensors README.
 */

const BY_CODE: ReadonlyMap<string, Dtype> = new Map(DTYPE_NAMES.map(name => [DTYPES[name].code, name]))

/** The most bytes of a header: the format's own limit. */
const LARGEST_HEADER = 100_000_000

/** The most bytes of a file: those of 400 embeddings for images of 8192 × 8192, or of 29,000 for images of 1024 × 1024. */
export const LARGEST_FILE = 1024 * 1024 * 1024

/** A file of a whole checkpoint has some thousand tensors of nine values each. */
const HEADER_BOUNDS: JsonBounds = { depth: 16, values: 1_000_000, items: 100_000 }

const SIZE = z.number().int().nonnegative()
const ENTRY = z.object({ dtype: z.string(), shape: z.array(SIZE).max(8), data_offsets: z.tuple([SIZE, SIZE]) })

export interface SafetensorsFile {
  tensors: Record<string, Tensor>
  metadata: Record<string, string>
}

/**
 * Reads the named tensors of a file onto the CPU.
 * @throws WuerstchenError INVALID_ARGUMENT for anything but such a plain file of at most 1 GiB, OUT_OF_MEMORY
 */
export async function readSafetensors(path: string, names: readonly string[]): Promise<SafetensorsFile> {
  if (path.includes('\0')) throw refusal(names, path)('its name has a zero byte')
  const file = await withFault(
    () => readPlainFile(path, LARGEST_FILE),
    fault => {
      const code = codeOfFault(fault, { unreadable: 'INVALID_ARGUMENT', unfit: 'INVALID_ARGUMENT' })
      return refusal(names, path)(fault.message, fault.cause ?? fault, code)
    }
  )
  return decodeSafetensors(file, names, path)
}

/**
 * Reads the named tensors of a file's bytes onto the CPU.
 * @param path the file that the bytes come from; undefined if a caller gave the bytes
 */
export function decodeSafetensors(file: Buffer, names: readonly string[], path?: string): SafetensorsFile {
  const refuse = refusal(names, path)
  const length = file.length < 8 ? Infinity : Number(file.readBigUInt64LE(0))
  if (length > LARGEST_HEADER || 8 + length > file.length) throw refuse('its header does not fit into it')
  let header: Record<string, unknown>
  try {
    header = z.record(z.string(), z.unknown()).parse(parseJson(file.toString('utf8', 8, 8 + length), HEADER_BOUNDS))
  } catch (error) {
    throw refuse('its header is not JSON', error)
  }
  const tensors: Record<string, Tensor> = {}
  try {
    for (const name of names) tensors[name] = readTensor(file.subarray(8 + length), header[name])
  } catch (error) {
    for (const tensor of Object.values(tensors)) tensor.dispose()
    if (WuerstchenError.is(error, 'OUT_OF_MEMORY')) throw error
    throw refuse(`its entries are not sound: ${(error as Error).message.slice(0, 200)}`, error)
  }
  const metadata = z.record(z.string(), z.string()).safeParse(header['__metadata__'])
  return { tensors, metadata: metadata.data ?? {} }
}

function refusal(names: readonly string[], path: string | undefined) {
  const where = path === undefined ? 'in the given bytes' : `at ${path}`
  return (detail: string, cause?: unknown, code: ErrorCode = 'INVALID_ARGUMENT') =>
    new WuerstchenError(code, `Expected a safetensors file with ${names.join(', ')} ${where} but ${detail}`, {
      subject: path ?? 'file',
      cause
    })
}

function readTensor(bytes: Buffer, entry: unknown): Tensor {
  const {
    dtype: code,
    shape,
    data_offsets: [begin, end]
  } = ENTRY.parse(entry)
  const dtype = BY_CODE.get(code)
  if (dtype === undefined) throw new Error(`dtype ${code} is not supported`)
  const count = shape.reduce((product, size) => product * size, 1)
  if (end > bytes.length || end - begin !== count * DTYPES[dtype].bytes) throw new Error('offsets and shape disagree')
  // It is a copy, because a typed array must start at a multiple of its element size.
  return Tensor.from(new DTYPES[dtype].array(Uint8Array.from(bytes.subarray(begin, end)).buffer), shape, dtype)
}

/** The bytes of a file with tensors and string metadata. */
export async function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>
): Promise<Buffer> {
  const header: Record<string, unknown> = { __metadata__: metadata }
  const parts: Uint8Array[] = []
  let offset = 0
  for (const [name, tensor] of Object.entries(tensors)) {
    const data = await tensor.data()
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    header[name] = { dtype: DTYPES[tensor.dtype].code, shape: tensor.shape, data_offsets: [offset, (offset += bytes.length)] }
    parts.push(bytes)
  }
  // The data must start at a multiple of 8, so the header is filled up with spaces.
  const json = JSON.stringify(header)
  const text = Buffer.from(json + ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, ...parts])
}
