import { show } from '../errors.js'
import { Pipeline, type GenerateResult, type StepEvent } from '../index.js'
import { pipelineOptions, type ModelFlags } from './flags.js'
import { interruptible } from './outcome.js'
import type { Planned } from './output-names.js'
import { isStdout, type Output, type Saved } from './outputs.js'
import { Progress } from './progress.js'
import { checkOutput, writeImages, type OutputFlags } from './write-images.js'

/** What a command does with its pipeline. */
export type Work = (
  pipeline: Pipeline,
  hooks: { signal: AbortSignal; onStep: (event: StepEvent) => void }
) => Promise<GenerateResult>

export interface Job {
  /** The images that are to be made, as far as they are known. */
  planned: readonly Planned[]
  /** How many denoising stages each goes through. */
  stages: number
  /** What is written beside the images. */
  others?: readonly Output[]
}

/** What `generate` and `decode` have in common: they load, run, write and report. */
export async function runCommand(flags: ModelFlags & OutputFlags, { planned, stages, others }: Job, work: Work): Promise<void> {
  await checkOutput(flags, planned, others)
  await interruptible(async signal => {
    const progress = new Progress(flags.quiet ?? false, planned.length, stages)
    try {
      await using pipeline = await Pipeline.load(flags.model, {
        ...pipelineOptions(flags),
        signal,
        onProgress: progress.load
      })
      const result = await work(pipeline, { signal, onStep: event => progress.step(event) })
      progress.clear()
      const saved = await writeImages(result.images, flags, signal)
      if (flags.quiet !== true)
        for (const { removed } of result.cut) console.error(`Cut off, for the encoder takes no more: ${show(removed)}`)
      await print(flags, pipeline, result, saved)
    } finally {
      progress.clear()
    }
  })
}

async function print(
  flags: ModelFlags,
  pipeline: Pipeline,
  { images, seeds, timings, cut }: GenerateResult,
  saved: readonly Saved[]
): Promise<void> {
  if (flags.json === true) {
    const { name, path, hash } = pipeline.model
    const described = images.map(({ width, height, seed, parameters }, index) => ({
      ...saved[index],
      width,
      height,
      seed,
      parameters
    }))
    process.stdout.write(
      `${JSON.stringify({ images: described, seeds, timings, cut, model: { name, path, hash }, artefacts: pipeline.artefacts })}\n`
    )
  } else {
    for (const { file } of saved) if (file !== null && !(await isStdout(file))) process.stdout.write(`${file}\n`)
  }
}
