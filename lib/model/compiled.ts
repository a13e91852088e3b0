import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { WuerstchenError } from '../errors.js'
import type { StageName } from '../native.js'
import type { ModelDirectory } from './directory.js'
import { COMPILED, librariesOf, type Artefact, type Manifest } from './manifest.js'

export const COMPILED_FILE = 'compiled/compiled.json'

/**
 * Adds what `wuerstchen export --compile` has made to the artefacts of their stages. Libraries of a program that is not, or no
 * longer, the manifest's cannot be used.
 * @throws WuerstchenError MODEL_INVALID
 */
export async function addCompiled(path: string, manifest: Manifest): Promise<Manifest> {
  const { formatVersion, artefacts } = await readCompiled(path)
  const stages: Manifest['stages'] = { ...manifest.stages }
  for (const { stage, program, ...made } of artefacts) {
    const entry = stages[stage as StageName]
    const base = entry?.artefacts.find(({ kind, file }) => kind === 'torchscript' && file === program.file)
    if (entry === undefined || base === undefined) continue
    const unusable =
      formatVersion === 1
        ? 'compiled by an earlier version of this package: compile again'
        : base.sha256 !== program.sha256
          ? `compiled for another ${program.file}: compile again`
          : null
    const artefact: Artefact = { ...base, ...made, kind: 'aoti', unusable }
    stages[stage as StageName] = { ...entry, artefacts: [...entry.artefacts, artefact] }
  }
  return { ...manifest, stages }
}

/**
 * The model without the libraries that LibTorch could not open, if that is what an error says: the programs still run.
 * The instruction set has been looked at before, as a library with foreign instructions ends the process.
 */
export function withoutBroken(model: ModelDirectory, error: unknown): ModelDirectory | undefined {
  if (
    !(error instanceof WuerstchenError) ||
    error.code !== 'MODEL_INVALID' ||
    !error.message.startsWith('Expected a compiled library in ')
  )
    return undefined
  const isBroken = (artefact: Artefact) => librariesOf(artefact).some(([, { file }]) => error.message.includes(`/${file} but`))
  let found = false
  const stages = Object.fromEntries(
    Object.entries(model.manifest.stages).map(([stage, entry]) => [
      stage,
      {
        ...entry,
        artefacts: entry.artefacts.map(artefact => {
          if (artefact.kind !== 'aoti' || artefact.unusable !== null || !isBroken(artefact)) return artefact
          found = true
          return { ...artefact, unusable: error.message }
        })
      }
    ])
  ) as Manifest['stages']
  return found ? { ...model, manifest: { ...model.manifest, stages } } : undefined
}

async function readCompiled(path: string) {
  let text: string
  try {
    text = await readFile(resolve(path, COMPILED_FILE), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { formatVersion: 2, artefacts: [] }
    throw new WuerstchenError('MODEL_INVALID', `Expected a readable ${COMPILED_FILE} at ${path} but reading it failed: ${code}`, {
      cause: error
    })
  }
  const refuse = (detail: string, cause: unknown) =>
    new WuerstchenError('MODEL_INVALID', `Expected a valid ${COMPILED_FILE} at ${path} but ${detail}`, { cause })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw refuse(`it is not JSON: ${(error as Error).message}`, error)
  }
  const parsed = COMPILED.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw refuse(`${parsed.error.issues.length} of its fields are wrong: ${issue!.path.join('.')}: ${issue!.message}`, parsed.error)
}
