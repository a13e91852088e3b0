import type { TensorHandle } from '../native.js'
import { Tensor } from '../values/tensor.js'
import type { Conditioning } from '../plan/conditioning.js'

/** Finished text embeddings by prompt, each (1, text, channels); undefined if the text itself is given. */
export interface TextRows {
  prior?: readonly TensorHandle[]
  decoder?: readonly TensorHandle[]
  priorNegative?: readonly TensorHandle[]
  decoderNegative?: readonly TensorHandle[]
}

/** The rows of a call's text tensors. Dispose of them after the request has been submitted. */
export class SlicedTexts implements Disposable {
  readonly rows: TextRows
  readonly #own: readonly Tensor[]

  private constructor(rows: TextRows, own: readonly Tensor[]) {
    this.rows = rows
    this.#own = own
  }

  static async of({ embeds, negativeEmbeds }: Conditioning): Promise<SlicedTexts> {
    const own: Tensor[] = []
    const tensors = {
      prior: embeds.prior,
      decoder: embeds.decoder,
      priorNegative: negativeEmbeds.prior,
      decoderNegative: negativeEmbeds.decoder
    }
    const rows: TextRows = {}
    try {
      for (const [key, tensor] of Object.entries(tensors)) {
        if (tensor === undefined) continue
        const slices = await slicesOf(tensor)
        own.push(...slices)
        rows[key as keyof TextRows] = slices.map(slice => slice.handle)
      }
    } catch (error) {
      for (const slice of own) slice.dispose()
      throw error
    }
    return new SlicedTexts(rows, own)
  }

  [Symbol.dispose](): void {
    for (const slice of this.#own) slice.dispose()
  }
}

/** Copies, so that the caller's tensor may be disposed in the meantime. */
async function slicesOf(tensor: Tensor): Promise<Tensor[]> {
  const [count, ...rest] = tensor.shape
  const data = await tensor.data()
  const size = data.length / count!
  return Array.from({ length: count! }, (_, row) =>
    Tensor.from(data.subarray(row * size, (row + 1) * size), [1, ...rest], tensor.dtype)
  )
}
