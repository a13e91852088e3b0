import { types } from 'node:util'

/**
 * Typed arrays and array buffers of any realm: those of another `vm` context, as test runners have, are no `instanceof` ours. All
 * is asked through the getters of this realm's prototypes. They work on every typed array, and no property of a value can replace
 * them.
 */

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object

function getterOf<T>(key: PropertyKey): (array: unknown) => T {
  const { get } = Object.getOwnPropertyDescriptor(TYPED_ARRAY, key)!
  return array => Reflect.apply(get!, array, []) as T
}

const tagOf = getterOf<string | undefined>(Symbol.toStringTag)
const bufferOf = getterOf<ArrayBuffer>('buffer')
const offsetOf = getterOf<number>('byteOffset')
const bytesOf = getterOf<number>('byteLength')

/** `Float32Array`, `Uint8Array` (also for a Buffer), …; undefined for what is no typed array. */
export function kindOfArray(value: unknown): string | undefined {
  return tagOf(value)
}

/**
 * A view of the bytes of a typed array or of an array buffer, also of memory that threads share. It does not follow a buffer that
 * changes its size. undefined for anything else, and for a buffer that was detached.
 */
export function viewOf(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  try {
    if (types.isTypedArray(value)) return new Uint8Array(bufferOf(value), offsetOf(value), bytesOf(value))
    if (types.isAnyArrayBuffer(value)) return new Uint8Array(value as ArrayBuffer, 0, new Uint8Array(value).byteLength)
    return undefined
  } catch {
    return undefined
  }
}

/** The bytes of a file that a caller has in memory, as a `Uint8Array` or an array buffer; undefined for any other value. */
export function fileBytesOf(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  return kindOfArray(value) === 'Uint8Array' || types.isAnyArrayBuffer(value) ? viewOf(value) : undefined
}

/** The view if its memory belongs to one thread and keeps its size, else a copy: Node-API takes no other memory. */
export function ownedBytes(view: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const buffer = view.buffer as ArrayBuffer & { resizable?: boolean }
  return types.isSharedArrayBuffer(buffer) || buffer.resizable === true ? new Uint8Array(view) : view
}
