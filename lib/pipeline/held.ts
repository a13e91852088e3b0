import type { TensorHandle } from '../native.js'
import type { Plan } from '../plan/plan.js'
import type { Tensor } from '../values/tensor.js'

/** The tensors of a plan that go to the engine beside its texts; null if there is none. */
export interface Handles {
  latents: TensorHandle | null
  embeddings: TensorHandle | null
  mask: TensorHandle | null
  decoderSource: TensorHandle | null
}

export function handlesOf(plan: Plan): Handles {
  const handles = (tensor: Tensor | undefined) => tensor?.handle ?? null
  return {
    latents: handles(plan.latents),
    embeddings: handles(plan.embeddings?.tensor),
    mask: handles(plan.mask),
    decoderSource: handles(plan.decoderSource)
  }
}

/** Copies of a plan's tensors. The caller may dispose of its own ones as soon as `of` has been called. */
export class HeldTensors implements Disposable {
  readonly handles: Handles
  readonly #own: readonly Tensor[]

  private constructor(handles: Handles, own: readonly Tensor[]) {
    this.handles = handles
    this.#own = own
  }

  static async of(plan: Plan): Promise<HeldTensors> {
    const given = [plan.latents, plan.embeddings?.tensor, plan.mask, plan.decoderSource]
    // The addon takes hold of every tensor before the first of these promises is awaited.
    const copies = await Promise.allSettled(given.map(tensor => tensor?.to(tensor.dtype)))
    const own = copies.flatMap(copy => (copy.status === 'fulfilled' && copy.value !== undefined ? [copy.value] : []))
    const failed = copies.find(copy => copy.status === 'rejected')
    if (failed !== undefined) {
      for (const copy of own) copy.dispose()
      throw failed.reason
    }
    const [latents, embeddings, mask, decoderSource] = copies.map(copy => (copy.status === 'fulfilled' ? copy.value : undefined))
    return new HeldTensors(
      {
        latents: latents?.handle ?? null,
        embeddings: embeddings?.handle ?? null,
        mask: mask?.handle ?? null,
        decoderSource: decoderSource?.handle ?? null
      },
      own
    )
  }

  [Symbol.dispose](): void {
    for (const copy of this.#own) copy.dispose()
  }
}
