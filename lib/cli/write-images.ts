import { access, constants } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { invalid } from '../errors.js'
import type { GeneratedImage, ImageFormat } from '../index.js'
import { formatOf, FORMATS, writeFileAtomically } from '../internal.js'

export interface OutputFlags {
  output?: string
  format?: ImageFormat
  quality?: number
  metadata: boolean
  json?: boolean
}

/** Refuses what cannot be written before a minute of work is spent on it. */
export async function checkOutput({ output, format, json }: OutputFlags, images: number): Promise<void> {
  if (output === '-' && json === true) throw invalid('--json', 'no --output - beside it, for both write to stdout,', json)
  if (output === '-' && images > 1) throw invalid('--output', 'a file name where there are several images', output)
  if (output === '-') return
  if (output !== undefined && format === undefined) formatOf(output)
  await access(dirname(output ?? '.'), constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    throw invalid('--output', `a file in a directory that can be written to (${error.code})`, output)
  })
}

/** Writes the images; returns the file names, `-` for stdout. */
export async function writeImages(images: readonly GeneratedImage[], flags: OutputFlags): Promise<string[]> {
  const files: string[] = []
  for (const [index, image] of images.entries()) {
    const file = fileOf(flags, images.length, index, image.seed)
    const format = flags.format ?? (file === '-' ? 'png' : formatOf(file))
    const data = await image.toBuffer(format, {
      metadata: flags.metadata,
      ...(flags.quality === undefined ? {} : { quality: flags.quality })
    })
    if (file === '-') await toStdout(data)
    else await writeFileAtomically(file, data)
    files.push(file)
  }
  return files
}

/** `cat.png` is the name of a single image, and becomes `cat-1.png`, `cat-2.png`, … for several. */
function fileOf({ output, format }: OutputFlags, count: number, index: number, seed: number): string {
  if (output === undefined) return `wuerstchen-${seed}${FORMATS[format ?? 'png'].extensions[0]}`
  if (count === 1) return output
  const extension = extname(output)
  return `${output.slice(0, output.length - extension.length)}-${index + 1}${extension}`
}

async function toStdout(data: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => process.stdout.write(data, error => (error ? reject(error) : resolve())))
}
