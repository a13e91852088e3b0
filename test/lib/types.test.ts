import { expect, test } from 'vitest'
import {
  Tensor,
  uniformTimesteps,
  type ErrorCode,
  type GenerateOptions,
  type GeneratedImage,
  type Pipeline,
  type StreamEvent
} from '../../lib/index.js'

/** What must compile and what must not; `npm test` runs the compiler over this file. Nothing here is called. */
export async function compiles(pipeline: Pipeline): Promise<void> {
  const options: GenerateOptions = { prompt: ['a', 'b'] as const, priorTimesteps: uniformTimesteps(4), decoderTimesteps: [1, 0] }
  const { images, seeds, cut } = await pipeline.generate(options)
  const image: GeneratedImage = images[0]!
  const [seed, removed]: [number, string | undefined] = [seeds[0]! + image.seed, cut[0]?.removed]
  await image.toFile(`${seed}${removed}.png`, { quality: 80, metadata: false })
  using embeddings = await pipeline.prior({ prompt: 'a' })
  await pipeline.decode(embeddings, { seeds: [1] })
  await pipeline.decode(Tensor.from(new Float32Array(144), [1, 16, 3, 3], 'float32'))

  // @ts-expect-error a misspelt option
  await pipeline.generate({ prompt: 'a', steps: 4 })
  // @ts-expect-error a prompt that is no text
  await pipeline.generate({ prompt: 5 })
  // @ts-expect-error the decoder's options are not the prior's
  await pipeline.prior({ prompt: 'a', decoderSteps: 4 })
  // @ts-expect-error the prior's options are not the decoder's
  await pipeline.decode(embeddings, { width: 128 })
  // @ts-expect-error an unknown dtype
  Tensor.from(new Float32Array(1), [1], 'float8')
  // @ts-expect-error an unknown file format
  await image.toBuffer('gif')
  // @ts-expect-error results are not for writing
  image.width = 5
}

/** Every event is told by its type. */
export function describeEvent(event: StreamEvent): string {
  switch (event.type) {
    case 'step':
      return `${event.stage} ${event.step}`
    case 'preview':
      return `${event.index} ${event.step} ${event.image.width}`
    case 'image':
      return `${event.index} ${event.image.width}`
    case 'done':
      return `${event.images.length}`
  }
}

test("the errors' codes are a closed list", () => {
  const code: ErrorCode = 'DISPOSED'
  // @ts-expect-error no such code
  const wrong: ErrorCode = 'CANCELLED'
  expect(code).not.toBe(wrong)
})
