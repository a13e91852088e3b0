import type { Command } from 'commander'
import { Pipeline, type EncodeImageOptions } from '../index.js'
import { checkEmbeddingsOutput, withEmbeddingsFlags, writeEmbeddingsFile, type EmbeddingsFlags } from './embeddings-output.js'
import { callOptions, pipelineOptions, withModelFlags, withSamplingFlags, type ModelFlags } from './flags.js'
import { interruptible } from './outcome.js'
import { Progress } from './progress.js'

interface EncodeFlags extends ModelFlags, EmbeddingsFlags, Omit<EncodeImageOptions, 'signal'> {
  json?: boolean
  quiet?: boolean
}

export function addEncode(program: Command): void {
  const command = program
    .command('encode')
    .description('turn images into embeddings, for decode and mix')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files that fit one size')
  withEmbeddingsFlags(withSamplingFlags(withModelFlags(command), 'encodeImage')).action(encode)
}

async function encode(images: string[], flags: EncodeFlags): Promise<void> {
  await checkEmbeddingsOutput(flags)
  await interruptible(async signal => {
    const progress = new Progress(flags.quiet ?? false, images.length, 1)
    try {
      await using pipeline = await Pipeline.load(flags.model, { ...pipelineOptions(flags), signal, onProgress: progress.load })
      progress.status(`encoding ${images.length === 1 ? 'an image' : `${images.length} images`}`)
      using embeddings = await pipeline.encodeImage(images, { ...callOptions<EncodeImageOptions>('encodeImage', flags), signal })
      progress.clear()
      await writeEmbeddingsFile(embeddings, flags, signal)
    } finally {
      progress.clear()
    }
  })
}
