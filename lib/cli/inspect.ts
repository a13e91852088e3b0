import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { WuerstchenError } from '../errors.js'
import { readParameters } from '../index.js'
import { isVerified, labelOf, presetNames, presetValues, readImageFile, readModel, type ModelDirectory } from '../internal.js'

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('show how an image was made, or what a model directory holds')
    .argument('<path>', 'image file or model directory')
    .option('--json', 'print one JSON result')
    .action(inspect)
}

async function inspect(path: string, { json = false }: { json?: boolean }): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected an image file or a model directory but reading ${path} failed: ${error.code}`,
      { subject: path, cause: error }
    )
  })
  process.stdout.write(`${printable(found.isDirectory() ? await inspectModel(path, json) : await inspectImage(path, json))}\n`)
}

/** Files of others may hold what a terminal would obey. It is shown in JSON's spelling instead; tabs and line ends stay. */
function printable(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

async function inspectImage(path: string, json: boolean): Promise<string> {
  const { parameters, text } = await readParameters(await readImageFile('path', path))
  if (json) return JSON.stringify({ parameters: parameters ?? null, text: text ?? null })
  if (text === undefined)
    throw new WuerstchenError('INVALID_ARGUMENT', `Expected generation parameters in ${path} but it has none`, { subject: path })
  return parameters === undefined ? text : `${text}\n\n${JSON.stringify(parameters, null, 2)}`
}

/** @internal */
export async function inspectModel(path: string, json: boolean): Promise<string> {
  const model = await readModel(path)
  return json ? JSON.stringify({ ...model.manifest, hash: model.hash }) : modelText(model)
}

function modelText({ manifest, hash }: ModelDirectory): string {
  const { name, license, exporter, defaults, stages } = manifest
  const lines = [
    `${name} (${license}), manifest ${hash.slice(0, 10)}`,
    `exported by ${exporter.version} with torch ${exporter.torch}`,
    `${defaults.width}x${defaults.height}, prior ${defaults.priorTimesteps.length - 1} steps at guidance ${defaults.priorGuidanceScale}, ` +
      `decoder ${defaults.decoderSteps} steps at guidance ${defaults.decoderGuidanceScale}`
  ]
  for (const preset of presetNames(manifest).filter(name => name !== 'reference')) {
    const { priorSampler, priorSteps, decoderSampler, decoderSteps } = presetValues(manifest, preset)
    lines.push(
      `preset ${preset}: prior ${priorSteps} steps of ${priorSampler}, decoder ${decoderSteps} steps of ${decoderSampler}`
    )
  }
  for (const [stage, { parameters, origin, loras = [], artefacts }] of Object.entries(stages)) {
    lines.push(`${stage}${parameters === undefined ? '' : `, ${parameters.toLocaleString('en')} parameters`}`)
    if (origin !== undefined) lines.push(`  from ${origin.repository} at commit ${origin.commit} (${origin.license})`)
    for (const { name: file, scale, modules, alphaFrom } of loras)
      lines.push(
        `  LoRA ${file}, scale ${scale}` +
          (modules === undefined ? '' : `, ${modules} modules`) +
          (alphaFrom === undefined ? '' : `, alpha from ${alphaFrom.join(' and ')}`)
      )
    for (const artefact of artefacts) {
      const { kind, dtype, device, gpuArch } = artefact
      const where = gpuArch === null ? device : `${device} ${gpuArch}`
      const files = kind === 'aoti' ? Object.values(artefact.libraries) : [artefact]
      lines.push(
        `  ${labelOf(artefact)}: ${kind}, ${dtype}, ${where}, ${(files.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1)} MB` +
          (isVerified(artefact) ? '' : ', not verified')
      )
    }
  }
  return lines.join('\n')
}
