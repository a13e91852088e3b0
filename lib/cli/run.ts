import { show } from '../errors.js'
import { Pipeline, type GenerateResult, type StepEvent } from '../index.js'
import { pipelineOptions, type ModelFlags } from './flags.js'
import { interruptible } from './outcome.js'
import { Progress } from './progress.js'
import { checkOutput, writeImages, type OutputFlags } from './write-images.js'

/** What a command does with its pipeline. */
export type Work = (
  pipeline: Pipeline,
  hooks: { signal: AbortSignal; onStep: (event: StepEvent) => void }
) => Promise<GenerateResult>

/** What `generate` and `decode` have in common: they load, run, write and report. */
export async function runCommand(flags: ModelFlags & OutputFlags, images: number, stages: number, work: Work): Promise<void> {
  await checkOutput(flags, images)
  await interruptible(async signal => {
    const progress = new Progress(flags.quiet ?? false, images, stages)
    try {
      await using pipeline = await Pipeline.load(flags.model, {
        ...pipelineOptions(flags),
        signal,
        onProgress: progress.load
      })
      const result = await work(pipeline, { signal, onStep: event => progress.step(event) })
      progress.clear()
      const files = await writeImages(result.images, flags)
      if (flags.quiet !== true)
        for (const { removed } of result.cut) console.error(`Cut off, for the encoder takes no more: ${show(removed)}`)
      print(flags, pipeline, result, files)
    } finally {
      progress.clear()
    }
  })
}

function print(
  flags: ModelFlags,
  pipeline: Pipeline,
  { images, seeds, timings, cut }: GenerateResult,
  files: readonly string[]
): void {
  if (flags.json === true) {
    const { name, path, hash } = pipeline.model
    const described = images.map(({ width, height, seed, parameters }, index) => ({
      file: files[index],
      width,
      height,
      seed,
      parameters
    }))
    process.stdout.write(
      `${JSON.stringify({ images: described, seeds, timings, cut, model: { name, path, hash }, artefacts: pipeline.artefacts })}\n`
    )
  } else {
    for (const file of files) if (file !== '-') process.stdout.write(`${file}\n`)
  }
}
