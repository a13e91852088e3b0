import { resolve } from 'node:path'
import { WuerstchenError, type ErrorCode } from '../errors.js'
import { codeOfFault, FileFault } from '../files/file-fault.js'
import { MANIFEST_BOUNDS, parseJson } from '../files/json.js'
import { readPlainFile } from '../files/plain-file.js'
import type { ProgramSpec, StageName } from '../native.js'
import { checkLibraries } from './contract.js'
import { COMPILED, LARGEST_MANIFEST, wrongFields, type Artefact, type Manifest, type ModelDirectory } from './manifest.js'

type Programs = Readonly<Partial<Record<StageName, ProgramSpec>>>
type Choices = ReadonlyMap<StageName, { artefact: Artefact }>

const COMPILED_FILE = 'compiled/compiled.json'

/**
 * Adds the libraries that `wuerstchen export --compile` has made to the artefacts of their stages. Libraries cannot be used if
 * their program is not in the manifest or has changed.
 * @throws WuerstchenError MODEL_INVALID, OUT_OF_MEMORY; the signal's reason
 */
export async function addCompiled(path: string, manifest: Manifest, signal?: AbortSignal): Promise<Manifest> {
  const { artefacts } = await readCompiled(path, signal)
  const stages: Manifest['stages'] = { ...manifest.stages }
  for (const { stage, program, verified = true, ...made } of artefacts) {
    const entry = stages[stage]
    const base = entry?.artefacts.find(({ kind, file }) => kind === 'torchscript' && file === program.file)
    if (entry === undefined || base === undefined) continue
    const unusable = base.sha256 === program.sha256 ? null : `compiled for another ${program.file}: compile again`
    // What the program needs says nothing about its libraries.
    const { leastTorch: _ofProgram, ...described } = base
    const artefact: Artefact = { ...described, ...made, kind: 'aoti', verified, unusable }
    if (unusable === null) checkLibraries(stage, artefact)
    stages[stage] = { ...entry, artefacts: [...entry.artefacts, artefact] }
  }
  return { ...manifest, stages }
}

/**
 * If an error is about a library that LibTorch could not open, or that does not compute what its program does, the model without
 * that library: its program still runs. The instruction set has been checked before, because a library with unknown instructions
 * ends the process.
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

async function readCompiled(path: string, signal: AbortSignal | undefined) {
  const file = resolve(path, COMPILED_FILE)
  const refuse = (detail: string, cause: unknown, code: ErrorCode = 'MODEL_INVALID') =>
    new WuerstchenError(code, `Expected a valid ${COMPILED_FILE} at ${path} but ${detail}`, { subject: file, cause })
  let bytes: Buffer
  try {
    bytes = await readPlainFile(file, LARGEST_MANIFEST, { signal })
  } catch (error) {
    if (!(error instanceof FileFault)) throw error
    const { code } = (error.cause ?? {}) as { code?: string }
    if (code === 'ENOENT') return { artefacts: [] }
    throw refuse(error.message, error.cause ?? error, codeOfFault(error, { unreadable: 'MODEL_INVALID', unfit: 'MODEL_INVALID' }))
  }
  let json: unknown
  try {
    json = parseJson(bytes.toString('utf8'), MANIFEST_BOUNDS)
  } catch (error) {
    throw refuse(`it is not JSON: ${(error as Error).message}`, error)
  }
  const parsed = COMPILED.safeParse(json)
  if (parsed.success) return parsed.data
  throw refuse(wrongFields(parsed.error), parsed.error)
}
