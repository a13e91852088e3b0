import type { Dtype } from './native.js'

/** `Float16Array` where the runtime has it (Node 24 and later). */
const Float16 = (globalThis as { Float16Array?: new (buffer: ArrayBuffer) => NodeJS.ArrayBufferView }).Float16Array

interface DtypeFacts {
  bytes: number
  /** The typed array that data of this dtype is read into. */
  array: new (
    buffer: ArrayBuffer
  ) => TensorData
}

/** What a tensor's elements can be read as. Half types come as `Uint16Array` where the runtime has no `Float16Array`. */
export type TensorData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint16Array

export const DTYPES: Readonly<Record<Dtype, DtypeFacts>> = {
  float32: { bytes: 4, array: Float32Array },
  float16: { bytes: 2, array: (Float16 ?? Uint16Array) as new (buffer: ArrayBuffer) => TensorData },
  bfloat16: { bytes: 2, array: Uint16Array },
  float64: { bytes: 8, array: Float64Array },
  int64: { bytes: 8, array: BigInt64Array },
  int32: { bytes: 4, array: Int32Array },
  int16: { bytes: 2, array: Int16Array },
  int8: { bytes: 1, array: Int8Array },
  uint8: { bytes: 1, array: Uint8Array },
  bool: { bytes: 1, array: Uint8Array }
}

export const DTYPE_NAMES = Object.keys(DTYPES) as Dtype[]

/** The dtypes a typed array can hold, its natural one first; empty for anything that is not a supported typed array. */
export function dtypesOf(data: unknown): readonly Dtype[] {
  if (data instanceof Float32Array) return ['float32']
  if (data instanceof Float64Array) return ['float64']
  if (data instanceof BigInt64Array) return ['int64']
  if (data instanceof Int32Array) return ['int32']
  if (data instanceof Int16Array) return ['int16']
  if (data instanceof Int8Array) return ['int8']
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return ['uint8', 'bool']
  if (data instanceof Uint16Array) return ['float16', 'bfloat16']
  if (Float16 !== undefined && data instanceof Float16) return ['float16']
  return []
}
