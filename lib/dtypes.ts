import { kindOfArray } from './options/bytes.js'

/** The one table of dtypes. cpp/core/dtype.h and the exporter have the same names (tested). */

/** `Float16Array` if the runtime has it (Node 24 and later). */
const Float16 = (globalThis as { Float16Array?: new (buffer: ArrayBuffer) => NodeJS.ArrayBufferView }).Float16Array

/**
 * The typed arrays that a tensor's elements can be read into. Half types are `Uint16Array` if the runtime has no `Float16Array`.
 */
export type TensorData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint16Array

interface DtypeFacts {
  bytes: number
  floating: boolean
  /** Its name in a safetensors file. */
  code: string
  /** The typed array that data of this dtype is read into. */
  array: new (
    buffer: ArrayBuffer
  ) => TensorData
}

const Half = (Float16 ?? Uint16Array) as new (buffer: ArrayBuffer) => TensorData

export const DTYPES = {
  float32: { bytes: 4, floating: true, code: 'F32', array: Float32Array },
  float16: { bytes: 2, floating: true, code: 'F16', array: Half },
  bfloat16: { bytes: 2, floating: true, code: 'BF16', array: Uint16Array },
  float64: { bytes: 8, floating: true, code: 'F64', array: Float64Array },
  int64: { bytes: 8, floating: false, code: 'I64', array: BigInt64Array },
  int32: { bytes: 4, floating: false, code: 'I32', array: Int32Array },
  int16: { bytes: 2, floating: false, code: 'I16', array: Int16Array },
  int8: { bytes: 1, floating: false, code: 'I8', array: Int8Array },
  uint8: { bytes: 1, floating: false, code: 'U8', array: Uint8Array },
  bool: { bytes: 1, floating: false, code: 'BOOL', array: Uint8Array }
} as const satisfies Record<string, DtypeFacts>

/**
 * The types that the elements of a tensor can have.
 * @useDeclaredType
 */
export type Dtype = keyof typeof DTYPES

export const DTYPE_NAMES = Object.keys(DTYPES) as Dtype[]

/** The dtypes that programs compute in. */
export const FLOAT_DTYPES = ['float32', 'float16', 'bfloat16'] as const

/**
 * The types that a model can compute in.
 * @useDeclaredType
 */
export type FloatDtype = (typeof FLOAT_DTYPES)[number]

export function isFloating(dtype: Dtype): boolean {
  return DTYPES[dtype].floating
}

/** The dtypes that each typed array can hold, its natural one first. */
const BY_ARRAY: Readonly<Record<string, readonly Dtype[]>> = {
  Float32Array: ['float32'],
  Float64Array: ['float64'],
  BigInt64Array: ['int64'],
  Int32Array: ['int32'],
  Int16Array: ['int16'],
  Int8Array: ['int8'],
  Uint8Array: ['uint8', 'bool'],
  Uint8ClampedArray: ['uint8', 'bool'],
  Uint16Array: ['float16', 'bfloat16'],
  Float16Array: ['float16']
}

/** The dtypes that a typed array of any realm can hold. It is empty for anything that is not a supported typed array. */
export function dtypesOf(data: unknown): readonly Dtype[] {
  return BY_ARRAY[kindOfArray(data) ?? ''] ?? []
}
