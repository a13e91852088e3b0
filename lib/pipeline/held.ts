import type { Plan } from '../plan/plan.js'
import { Embeddings } from '../values/embeddings.js'
import type { Tensor } from '../values/tensor.js'

/**
 * A plan that waits before it is submitted, with tensors of its own: the caller may dispose of those that were given as soon as
 * the call has been made. The copies are asked for before the first wait.
 */
export class HeldPlan implements Disposable {
  readonly plan: Plan
  readonly #own: readonly (Tensor | undefined)[]

  private constructor(plan: Plan, own: readonly (Tensor | undefined)[]) {
    this.plan = plan
    this.#own = own
  }

  static async of(plan: Plan): Promise<HeldPlan> {
    const { latents, decoderSource, embeddings } = plan
    const own = await Promise.all([latents, decoderSource, embeddings?.tensor].map(async tensor => tensor?.to(tensor.dtype)))
    const [ownLatents, ownSource, tensor] = own
    return new HeldPlan(
      {
        ...plan,
        latents: ownLatents,
        decoderSource: ownSource,
        embeddings: embeddings && tensor && new Embeddings(tensor, embeddings.randomOffsets, embeddings.origins)
      },
      own
    )
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#own) tensor?.dispose()
  }
}
