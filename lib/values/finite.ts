import type { Dtype, TensorData } from '../dtypes.js'
import { invalid } from '../errors.js'

/** In the bits of a half type, an exponent of ones is an infinity or NaN. */
const EXPONENT: Partial<Record<Dtype, number>> = { float16: 0x7c00, bfloat16: 0x7f80 }

/**
 * Refuses data with a NaN or an infinity, which come out as a plain black image.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export function expectFinite(name: string, data: TensorData, dtype: Dtype): void {
  // Loops and not callbacks: an image's embeddings have a quarter of a million elements of text.
  const exponent = data instanceof Uint16Array ? EXPONENT[dtype] : undefined
  if (exponent !== undefined) {
    for (let index = 0; index < data.length; index++)
      if (((data[index] as number) & exponent) === exponent) throw invalid(name, 'finite numbers', NaN, `See element ${index}`)
    return
  }
  for (let index = 0; index < data.length; index++)
    if (!Number.isFinite(data[index])) throw invalid(name, 'finite numbers', data[index], `See element ${index}`)
}
