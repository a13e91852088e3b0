import sharp from 'sharp'
import {
  Embeddings,
  type GeneratedImage,
  type GenerateResult,
  type ImageOptions,
  type Pipeline,
  type PreviewOptions,
  type StepEvent
} from '../../index.js'
import { WuerstchenError } from '../../errors.js'
import { captureImage, readCutOut } from '../../internal.js'
import type { FileOptions, JobImage, JobResult, Mask, Work, WorkEvent } from '../jobs/work.js'
import { PreviewWriter } from './previews.js'

type Emit = (event: WorkEvent) => void

/** Runs work on a pipeline: the one place where a job's data becomes a call of the library. */
export async function runWork(pipeline: Pipeline, work: Work, signal: AbortSignal, emit: Emit): Promise<JobResult> {
  const run = { signal, onStep: ({ image, stage, step, steps }: StepEvent) => emit({ type: 'step', image, stage, step, steps }) }
  switch (work.kind) {
    case 'generate':
      return written(work, emit, heard => pipeline.generate({ ...work.options, ...run, ...heard }))
    case 'edit': {
      const mask = work.mask !== undefined ? { mask: await whiteMask(work.mask) } : work.ownMask ? await ownMask(work.source) : {}
      return written(work, emit, heard => pipeline.edit(work.source, { ...work.options, ...mask, ...run, ...heard }))
    }
    case 'vary':
      return written(work, emit, heard => pipeline.vary(work.source, { ...work.options, ...run, ...heard }))
    case 'decode': {
      using embeddings = await Embeddings.load(work.embeddings)
      return await written({ ...work, previews: 0 }, emit, ({ onImage }) =>
        pipeline.decode(embeddings, { ...work.options, ...run, onImage })
      )
    }
    case 'embedText':
      return embedded(await pipeline.prior({ ...work.options, ...run }))
    case 'embedImage':
      return embedded(await pipeline.encodeImage(work.source, { ...work.options, signal }))
  }
}

/**
 * OpenAI's rule for an edit without a mask: what is transparent in the image changes. Without transparency, everything may
 * change.
 */
async function ownMask(file: Uint8Array): Promise<{ mask?: 'alpha' }> {
  // Only the header is read. What is wrong with the file is said by the call.
  const hasAlpha = await sharp(file)
    .metadata()
    .then(
      header => header.hasAlpha,
      () => false
    )
  if (!hasAlpha) return {}
  const { transparency } = await readCutOut(captureImage('image', file))
  return transparency.data.some(value => value > 0) ? { mask: 'alpha' } : {}
}

/** The mask as the library takes it: white where to change. */
async function whiteMask({ file, changes }: Mask): Promise<Uint8Array> {
  if (changes === 'white') return file
  try {
    const { hasAlpha } = await sharp(file).metadata()
    if (hasAlpha) {
      const changed = await sharp(file, { failOn: 'error' })
        .autoOrient()
        .extractChannel('alpha')
        .negate()
        .png({ compressionLevel: 1 })
        .toBuffer()
      // Many tools write an alpha channel that is opaque everywhere.
      if ((await sharp(changed).stats()).channels[0]!.max > 0) return changed
    }
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

/** Makes images, and hands over previews and images as soon as they are there. */
async function written(
  { file, previews }: { file: FileOptions; previews: number },
  emit: Emit,
  call: (heard: PreviewOptions & Required<ImageOptions>) => Promise<GenerateResult>
): Promise<JobResult> {
  const rough = new PreviewWriter(file, emit)
  const images: Promise<JobImage>[] = []
  const { timings, cut } = await call({
    ...(previews === 0 ? {} : { previews, onPreview: event => rough.write(event) }),
    onImage: ({ index, image }) => {
      const writing = writeImage(index, image, file, emit)
      images[index] = writing
      // The call waits for it and rejects with what it throws, and the steps of the other images go on meanwhile.
      return writing
    }
  })
  await rough.written
  return { kind: 'images', images: await Promise.all(images), timings, cut }
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
