import type { LibrarySpec, ProgramSpec, StageName } from '../native.js'
import { checkFunctions } from './contract.js'
import type { ModelDirectory } from './manifest.js'
import { librariesOf, type Artefact } from './manifest.js'
import type { Choice } from './select.js'
import { verifyFile } from './verify.js'

/** The five stages that turn text into images, in the order in which they run. */
export const TEXT_TO_IMAGE: readonly StageName[] = ['priorTextEncoder', 'prior', 'decoderTextEncoder', 'decoder', 'vqDecoder']
export const PRIOR_STAGES: readonly StageName[] = ['priorTextEncoder', 'prior']
export const DECODER_STAGES: readonly StageName[] = ['decoderTextEncoder', 'decoder', 'vqDecoder']

/** Optional stages. Those for real images run on the decoder's device, and the one for previews runs on the prior's. */
export const OPTIONAL_STAGES: Readonly<Partial<Record<StageName, readonly StageName[]>>> = {
  decoder: ['vqEncoder', 'imageEncoder'],
  prior: ['previewer']
}

/** Checks the chosen artefacts' files and describes them to the addon. */
export async function verifiedPrograms(
  model: ModelDirectory,
  choices: ReadonlyMap<StageName, Choice>,
  verify: boolean,
  onFile: (stage: StageName, done: number, total: number) => void,
  signal: AbortSignal | undefined
): Promise<Partial<Record<StageName, ProgramSpec>>> {
  const programs: Partial<Record<StageName, ProgramSpec>> = {}
  let done = 0
  for (const [stage, { artefact }] of choices) {
    checkFunctions(stage, artefact)
    programs[stage] = await verifiedProgram(model.path, artefact, verify, signal)
    onFile(stage, ++done, choices.size)
  }
  return programs
}

/** Checks an artefact's files and describes it to the addon. */
export async function verifiedProgram(
  directory: string,
  artefact: Artefact,
  verify: boolean,
  signal?: AbortSignal
): Promise<ProgramSpec> {
  const { kind, dtype, storage, functions } = artefact
  const file = await verifyFile(directory, artefact, verify, signal)
  const libraries: Record<string, LibrarySpec> = {}
  for (const [name, library] of librariesOf(artefact)) {
    libraries[name] = { file: await verifyFile(directory, library, verify, signal), limits: library.limits }
  }
  return { kind, file, dtype, storage, functions, libraries }
}
