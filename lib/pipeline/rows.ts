import type { TensorData } from '../dtypes.js'
import type { TensorHandle } from '../native.js'
import { expectFinite } from '../values/finite.js'
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
    const tensors: [keyof TextRows, string, Tensor | undefined][] = [
      ['prior', 'promptEmbeds', embeds.prior],
      ['decoder', 'promptEmbeds', embeds.decoder],
      ['priorNegative', 'negativePromptEmbeds', negativeEmbeds.prior],
      ['decoderNegative', 'negativePromptEmbeds', negativeEmbeds.decoder]
    ]
    // All are asked for their data before the first wait, because the caller may dispose of them then.
    const given = await Promise.all(
      tensors.map(async ([key, option, tensor]) => tensor && { key, option, tensor, data: await tensor.data() })
    )
    const rows: TextRows = {}
    try {
      for (const text of given) {
        if (text === undefined) continue
        expectFinite(text.option, text.data, text.tensor.dtype)
        const slices = slicesOf(text.tensor, text.data)
        own.push(...slices)
        rows[text.key] = slices.map(slice => slice.handle)
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

function slicesOf(tensor: Tensor, data: TensorData): Tensor[] {
  const [count, ...rest] = tensor.shape
  const size = data.length / count!
  return Array.from({ length: count! }, (_, row) =>
    Tensor.from(data.subarray(row * size, (row + 1) * size), [1, ...rest], tensor.dtype)
  )
}
