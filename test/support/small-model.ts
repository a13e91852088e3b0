import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pipeline, type PipelineOptions } from '../../lib/index.js'
import { packageRoot as root } from '../../lib/install/root.mjs'

export { root }

/** The small random model of test/parity/reference, as a model directory: float32, bfloat16 and float16. */
export const smallModel = process.env['WUERSTCHEN_TEST_MODEL'] ?? join(root, 'build', 'small-model')

/** The same model in float32 only, with compiled libraries. */
export const compiledModel = join(root, 'build', 'compiled-model')

/** An image that takes little time: 128 pixels, two steps of the prior, one of the decoder. */
export const QUICK = { prompt: 'a photo of a cat', width: 128, height: 128, priorSteps: 2, decoderSteps: 1 } as const

/** Runs `body` with a pipeline of the small model on one thread, and disposes of it. */
export async function withPipeline<T>(body: (pipeline: Pipeline) => Promise<T>, options?: PipelineOptions): Promise<T> {
  await using pipeline = await Pipeline.load(smallModel, { threads: 1, ...options })
  return await body(pipeline)
}

/** Runs `body` with a new directory, and removes it. */
export async function withDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
  try {
    return await body(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Runs `body` with a copy of the small model that it may change. */
export async function withModelCopy<T>(body: (directory: string) => Promise<T>, model = smallModel): Promise<T> {
  return withDirectory(async directory => {
    cpSync(model, directory, { recursive: true })
    return body(directory)
  })
}
