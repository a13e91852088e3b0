import { invalid } from '../errors.js'
import type { GeneratedImage, ImageFormat } from '../index.js'
import { formatOf } from '../internal.js'
import { OutputNames, type Planned } from './output-names.js'
import { checkOutputs, isStdout, isStream, save, type ClobberFlag, type Output, type Saved } from './outputs.js'

export interface OutputFlags extends ClobberFlag {
  output?: string
  format?: ImageFormat
  quality?: number
  metadata: boolean
  json?: boolean
}

/**
 * Refuses what cannot be written before a minute of work is spent on it.
 * @param others what the command writes beside its images
 */
export async function checkOutput(
  flags: OutputFlags,
  planned: readonly Planned[],
  others: readonly Output[] = []
): Promise<void> {
  const { output, format, json } = flags
  const stdout = output !== undefined && (await isStdout(output))
  if (stdout && json === true) throw invalid('--json', 'no --output - beside it, for both write to stdout,', json)
  if (stdout && process.stdout.isTTY)
    throw invalid('--output', 'a file or a pipe behind stdout, for a terminal shows no image,', output)
  if (output !== undefined && planned.length > 1 && (await isStream(output)))
    throw invalid('--output', 'a file name where there are several images', output)
  const files = await outputFiles(flags, planned)
  for (const file of files) if (file !== undefined && format === undefined) await formatFor(file)
  // Of a name that needs a seed that is not known yet, the folder can be looked at.
  const known = files.map(file => file ?? (output ?? '').replace(/[^/]*$/, 'unnamed.wuerstchen'))
  await checkOutputs([{ flag: '--output', files: known }, ...others], flags)
}

/**
 * Writes the images. One that cannot be written does not keep the others from it.
 * @throws the signal's reason
 */
export async function writeImages(images: readonly GeneratedImage[], flags: OutputFlags, signal: AbortSignal): Promise<Saved[]> {
  const files = await outputFiles(
    flags,
    images.map(({ seed, parameters: { prompt } }) => ({ seed, prompt }))
  )
  const saved: Saved[] = []
  for (const [index, image] of images.entries()) {
    const file = files[index]!
    const data = await image.toBuffer(flags.format ?? (await formatFor(file)), {
      metadata: flags.metadata,
      ...(flags.quality === undefined ? {} : { quality: flags.quality })
    })
    saved.push(await save(file, data, flags, signal))
  }
  return saved
}

/** The names of a call's images. The one of a pipe or a device holds no placeholders. */
async function outputFiles({ output, format }: OutputFlags, images: readonly Planned[]): Promise<(string | undefined)[]> {
  if (output !== undefined && images.length === 1 && (await isStream(output))) return [output]
  return new OutputNames(output, format, images.length).of(images)
}

/** The format that a name asks for. A pipe needs no name that says it. */
async function formatFor(file: string): Promise<ImageFormat> {
  try {
    return formatOf(file)
  } catch (error) {
    if (await isStream(file)) return 'png'
    throw error
  }
}
