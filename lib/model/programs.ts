import type { LibrarySpec, ProgramSpec, StageName } from '../native.js'
import { checkFunctions, checkScale, checkTexts } from './contract.js'
import type { ModelDirectory } from './manifest.js'
import { librariesOf } from './artefact.js'
import type { Artefact } from './manifest.js'
import type { Choice } from './select.js'
import { openVerified, readVerified } from './verify.js'

/** The five stages that turn text into images, in the order in which they run. */
export const TEXT_TO_IMAGE: readonly StageName[] = ['priorTextEncoder', 'prior', 'decoderTextEncoder', 'decoder', 'vqDecoder']
export const PRIOR_STAGES: readonly StageName[] = ['priorTextEncoder', 'prior']
export const DECODER_STAGES: readonly StageName[] = ['decoderTextEncoder', 'decoder', 'vqDecoder']

/** Optional stages. Those for real images run on the decoder's device, and the one for previews runs on the prior's. */
export const OPTIONAL_STAGES: Readonly<Partial<Record<StageName, readonly StageName[]>>> = {
  decoder: ['vqEncoder', 'imageEncoder'],
  prior: ['previewer']
}

/** The most bytes of a compiled library, which is read into memory. It has no weights, so it has a few megabytes. */
const LARGEST_LIBRARY = 512 * 1024 * 1024

/** A program whose file is open. Close it as soon as the addon has been given `spec`. */
export class OpenProgram implements AsyncDisposable {
  readonly spec: ProgramSpec
  readonly #file: AsyncDisposable

  constructor(spec: ProgramSpec, file: AsyncDisposable) {
    this.spec = spec
    this.#file = file
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]()
  }
}

/** The programs of an engine, whose files are open. Close them as soon as the addon has been given them. */
export class OpenPrograms implements AsyncDisposable {
  readonly #open: ReadonlyMap<StageName, OpenProgram>

  constructor(open: ReadonlyMap<StageName, OpenProgram>) {
    this.#open = open
  }

  get specs(): Partial<Record<StageName, ProgramSpec>> {
    return Object.fromEntries([...this.#open].map(([stage, { spec }]) => [stage, spec]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#open.values()) await program[Symbol.asyncDispose]()
  }
}

/**
 * Opens and checks the chosen artefacts' files, and describes them to the addon.
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID, OUT_OF_MEMORY; the signal's reason
 */
export async function verifiedPrograms(
  model: ModelDirectory,
  choices: ReadonlyMap<StageName, Choice>,
  verify: boolean,
  onFile: (stage: StageName, done: number, total: number) => void,
  signal: AbortSignal | undefined
): Promise<OpenPrograms> {
  for (const [stage, { artefact }] of choices) checkFunctions(stage, artefact)
  const artefacts = new Map([...choices].map(([stage, { artefact }]) => [stage, artefact]))
  checkTexts(artefacts)
  checkScale(artefacts, model.manifest.constants)
  const open = new Map<StageName, OpenProgram>()
  try {
    let done = 0
    for (const [stage, { artefact }] of choices) {
      open.set(stage, await verifiedProgram(model.path, artefact, verify, signal))
      onFile(stage, ++done, choices.size)
    }
    return new OpenPrograms(open)
  } catch (error) {
    await new OpenPrograms(open)[Symbol.asyncDispose]()
    throw error
  }
}

/** Opens and checks an artefact's files, and describes it to the addon. */
export async function verifiedProgram(
  directory: string,
  artefact: Artefact,
  verify: boolean,
  signal?: AbortSignal
): Promise<OpenProgram> {
  const { kind, dtype, storage, functions } = artefact
  const libraries: Record<string, LibrarySpec> = {}
  for (const [name, { limits, ...facts }] of librariesOf(artefact))
    libraries[name] = { ...(await readVerified({ directory, facts, check: verify, signal }, LARGEST_LIBRARY)), limits }
  const file = await openVerified({ directory, facts: artefact, check: verify, signal })
  const { path, fd, stamp } = file
  return new OpenProgram({ kind, file: path, fd, stamp, dtype, storage, functions, libraries }, file)
}
