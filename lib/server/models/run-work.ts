import sharp from 'sharp'
import {
  Embeddings,
  type GeneratedImage,
  type GenerateResult,
  type Pipeline,
  type PreviewOptions,
  type StepEvent
} from '../../index.js'
import { WuerstchenError } from '../../errors.js'
import type { FileOptions, JobImage, JobResult, Mask, Work, WorkEvent } from '../jobs/work.js'
import { PreviewWriter } from './previews.js'

type Emit = (event: WorkEvent) => void

/** Runs work on a pipeline: the one place where a job's data becomes a call of the library. */
export async function runWork(pipeline: Pipeline, work: Work, signal: AbortSignal, emit: Emit): Promise<JobResult> {
  const run = { signal, onStep: ({ image, stage, step, steps }: StepEvent) => emit({ type: 'step', image, stage, step, steps }) }
  switch (work.kind) {
    case 'generate':
      return generate(pipeline, work, signal, emit)
    case 'edit': {
      const mask = work.mask === undefined ? {} : { mask: await whiteMask(work.mask) }
      return withPreviews(work, emit, previews => pipeline.edit(work.source, { ...work.options, ...mask, ...run, ...previews }))
    }
    case 'vary':
      return withPreviews(work, emit, previews => pipeline.vary(work.source, { ...work.options, ...run, ...previews }))
    case 'decode': {
      using embeddings = await Embeddings.load(work.embeddings)
      return await finish(await pipeline.decode(embeddings, { ...work.options, ...run }), work.file, emit)
    }
    case 'embedText':
      return embedded(await pipeline.prior({ ...work.options, ...run }))
    case 'embedImage':
      return embedded(await pipeline.encodeImage(work.source, { ...work.options, signal }))
  }
}

/** The mask as the library takes it: white where to change. */
async function whiteMask({ file, changes }: Mask): Promise<Uint8Array> {
  if (changes === 'white') return file
  try {
    const { hasAlpha } = await sharp(file).metadata()
    if (hasAlpha)
      return await sharp(file, { failOn: 'error' })
        .autoOrient()
        .extractChannel('alpha')
        .negate()
        .png({ compressionLevel: 1 })
        .toBuffer()
  } catch (error) {
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected an image file for mask but it cannot be decoded', {
      subject: 'mask',
      cause: error
    })
  }
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    'Expected an image with transparency, which is what changes, for mask but it has none. With mask_changes "white" what is white changes',
    { subject: 'mask' }
  )
}

/** Hands over each image as soon as it is there. */
async function generate(
  pipeline: Pipeline,
  { options, file, previews }: Extract<Work, { kind: 'generate' }>,
  signal: AbortSignal,
  emit: Emit
): Promise<JobResult> {
  const rough = new PreviewWriter(file, emit)
  const written: Promise<JobImage>[] = []
  for await (const event of pipeline.stream({ ...options, previews, signal })) {
    switch (event.type) {
      case 'step':
        emit({ type: 'step', image: event.image, stage: event.stage, step: event.step, steps: event.steps })
        break
      case 'preview':
        rough.write(event)
        break
      // Not awaited here: the steps of the other images would have to wait for a file to be compressed.
      case 'image':
        written[event.index] = writeImage(event.index, event.image, file, emit)
        break
      case 'done': {
        await rough.written
        return { kind: 'images', images: await Promise.all(written), timings: event.timings, cut: event.cut }
      }
    }
  }
  // A stream ends with `done` or throws; this tells the compiler.
  throw signal.reason
}

/** Calls that take their previews' listener, and hand over all images at their end. */
async function withPreviews(
  { file, previews }: Extract<Work, { kind: 'edit' | 'vary' }>,
  emit: Emit,
  call: (options: PreviewOptions) => Promise<GenerateResult>
): Promise<JobResult> {
  if (previews === 0) return finish(await call({}), file, emit)
  const rough = new PreviewWriter(file, emit)
  const result = await call({ previews, onPreview: event => rough.write(event) })
  await rough.written
  return finish(result, file, emit)
}

/** Calls that hand over all images at their end. */
async function finish({ images, timings, cut }: GenerateResult, file: FileOptions, emit: Emit): Promise<JobResult> {
  return {
    kind: 'images',
    images: await Promise.all(images.map((image, index) => writeImage(index, image, file, emit))),
    timings,
    cut
  }
}

async function writeImage(index: number, image: GeneratedImage, { format, quality }: FileOptions, emit: Emit): Promise<JobImage> {
  const { width, height, seed, parameters } = image
  const file = await image.toBuffer(format, quality === undefined ? {} : { quality })
  const result = { file, format, width, height, seed, parameters }
  emit({ type: 'image', image: index, result })
  return result
}

async function embedded(value: Embeddings): Promise<JobResult> {
  using embeddings = value
  const { tensor, seeds } = embeddings
  const values = Array.from((await tensor.data()) as Float32Array)
  return {
    kind: 'embeddings',
    file: await embeddings.toBuffer(),
    shape: [...tensor.shape],
    values,
    seeds: seeds.map(seed => seed ?? null)
  }
}
