import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { WuerstchenError } from '../errors.js'
import type { ProgramSpec, StageName } from '../native.js'
import { COMPILED, type Artefact, type Manifest, type ModelDirectory } from './manifest.js'

type Programs = Readonly<Partial<Record<StageName, ProgramSpec>>>
type Choices = ReadonlyMap<StageName, { artefact: Artefact }>

export const COMPILED_FILE = 'compiled/compiled.json'

/**
 * Adds the libraries that `wuerstchen export --compile` has made to the artefacts of their stages. Libraries cannot be used if
 * their program is not in the manifest or has changed.
 * @throws WuerstchenError MODEL_INVALID
 */
export async function addCompiled(path: string, manifest: Manifest): Promise<Manifest> {
  const { artefacts } = await readCompiled(path)
  const stages: Manifest['stages'] = { ...manifest.stages }
  for (const { stage, program, ...made } of artefacts) {
    const entry = stages[stage as StageName]
    const base = entry?.artefacts.find(({ kind, file }) => kind === 'torchscript' && file === program.file)
    if (entry === undefined || base === undefined) continue
    const unusable = base.sha256 === program.sha256 ? null : `compiled for another ${program.file}: compile again`
    const artefact: Artefact = { ...base, ...made, kind: 'aoti', unusable }
    stages[stage as StageName] = { ...entry, artefacts: [...entry.artefacts, artefact] }
  }
  return { ...manifest, stages }
}

/**
 * If an error is about a library that LibTorch could not open, the model without that library: its program still runs. The
 * instruction set has been checked before, because a library with unknown instructions ends the process.
 * @param programs the programs that the addon was given
 */
export function withoutBroken(
  model: ModelDirectory,
  programs: Programs,
  chosen: Choices,
  error: unknown
): ModelDirectory | undefined {
  if (!WuerstchenError.is(error, 'MODEL_INVALID')) return undefined
  const isBroken = (stage: StageName) =>
    Object.values(programs[stage]?.libraries ?? {}).some(({ file }) => file === error.subject)
  const stage = [...chosen.keys()].find(isBroken)
  const entry = stage && model.manifest.stages[stage]
  if (stage === undefined || entry === undefined) return undefined
  const broken = chosen.get(stage)!.artefact
  const artefacts = entry.artefacts.map(each =>
    each === broken && each.kind === 'aoti' ? { ...each, unusable: error.message } : each
  )
  return { ...model, manifest: { ...model.manifest, stages: { ...model.manifest.stages, [stage]: { ...entry, artefacts } } } }
}

async function readCompiled(path: string) {
  let text: string
  try {
    text = await readFile(resolve(path, COMPILED_FILE), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { artefacts: [] }
    throw new WuerstchenError('MODEL_INVALID', `Expected a readable ${COMPILED_FILE} at ${path} but reading it failed: ${code}`, {
      subject: resolve(path, COMPILED_FILE),
      cause: error
    })
  }
  const refuse = (detail: string, cause: unknown) =>
    new WuerstchenError('MODEL_INVALID', `Expected a valid ${COMPILED_FILE} at ${path} but ${detail}`, {
      subject: resolve(path, COMPILED_FILE),
      cause
    })
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
