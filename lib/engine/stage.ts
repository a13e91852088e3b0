import { basename, dirname, resolve } from 'node:path'
import { FLOAT_DTYPES, type FloatDtype } from '../dtypes.js'
import { disposed, invalid, WuerstchenError } from '../errors.js'
import { loadAddon } from '../load/addon.js'
import { readModel } from '../model/directory.js'
import { FUNCTIONS, wrongFields, type Artefact } from '../model/manifest.js'
import { OpenProgram, verifiedProgram } from '../model/programs.js'
import { openVerified } from '../model/verify.js'
import type { ProgramSpec, StageHandle } from '../native.js'
import type { FunctionSpec } from '../tensor-spec.js'
import { nativeCall } from '../load/native-call.js'
import { expectBoolean, expectInteger, expectOneOf, expectString, optional, withDefault } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { copyList, isList, reading } from '../options/read.js'
import { expectTensor, Tensor } from '../values/tensor.js'
import { defaultThreads, machineOf, resolveDevice } from '../load/device.js'
import { selectLibraries } from '../model/select.js'

/** How `Stage.load` loads a program. */
export interface StageOptions {
  /** `cpu`, `cuda` or `cuda:1`. Defaults to `cpu`, or to the device that all artefacts of the file were made for. */
  device?: string
  /** Threads within an operation, 1 to 1024. Defaults to WUERSTCHEN_THREADS, else LibTorch's choice. */
  threads?: number
  /** Check size and sha256 first. Defaults to `true`; only files that a manifest lists can be checked. */
  verify?: boolean
  /** The functions of a file that no manifest lists, with their inputs and outputs. */
  functions?: Readonly<Record<string, FunctionSpec>>
  /**
   * `aoti` runs the program with the fastest of its compiled libraries that fit the machine. Defaults to `torchscript`, which
   * runs it without them.
   */
  kind?: 'torchscript' | 'aoti'
  /** The dtype that a file computes in, if no manifest lists it. Defaults to `float32`. */
  dtype?: FloatDtype
}

const OPTIONS = ['device', 'threads', 'verify', 'functions', 'kind', 'dtype'] as const

/** One exported program by itself, on a thread of its own: for measurements and for loops of your own. */
export class Stage implements AsyncDisposable {
  #handle: StageHandle | undefined
  #closing: Promise<void> | undefined
  /** The program's absolute path. */
  readonly file: string
  /** Where it runs: `cpu`, `cuda:0`, … */
  readonly device: string
  /** What each function takes and returns. Dimensions are numbers, or symbols that must agree within one call. */
  readonly functions: Readonly<Record<string, FunctionSpec>>

  private constructor(handle: StageHandle, program: ProgramSpec, device: string) {
    this.#handle = handle
    this.file = program.file
    this.device = device
    this.functions = program.functions
  }

  /**
   * Loads a program: a file of a model directory (its manifest describes the functions), or any other with `functions`. A program
   * is code, so load only files that you trust.
   * @throws WuerstchenError INVALID_ARGUMENT, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_MISMATCH, DEVICE_UNAVAILABLE, OUT_OF_MEMORY
   */
  static async load(file: string, options?: StageOptions): Promise<Stage> {
    const path = resolve(expectString('file', file))
    const given = knownOptions('Stage.load', options, OPTIONS)
    const kind = optional(given.kind, value => expectOneOf('kind', value, ['torchscript', 'aoti'] as const)) ?? 'torchscript'
    const verify = optional(given.verify, value => expectBoolean('verify', value)) ?? true
    const dtype = optional(given.dtype, value => expectOneOf('dtype', value, FLOAT_DTYPES)) ?? 'float32'
    const runtime = loadAddon().runtimeInfo()
    const found = given.functions === undefined ? await findInManifest(path, kind) : []
    const made = found.find(artefact => artefact.device === 'cpu') ?? found[0]
    const device = resolveDevice('device', withDefault(given.device, made?.device ?? 'cpu'), runtime)
    const listed =
      kind === 'aoti' && found.length > 0 ? selectLibraries(found, { ...machineOf(device, runtime), dtype: undefined }) : made
    await using program =
      listed === undefined ? await unlistedProgram(path, dtype, given) : await verifiedProgram(dirname(path), listed, verify)
    const threads = optional(given.threads, value => expectInteger('threads', value, 1, 1024)) ?? defaultThreads(runtime)
    const { spec } = program
    return new Stage(await nativeCall(() => loadAddon().loadStage(spec, device, threads)), spec, device)
  }

  /**
   * Runs one function on tensors, in order or by input name. The inputs stay yours; the outputs are new tensors.
   * @param functionName defaults to `forward`, or to the only function there is
   * @throws WuerstchenError INVALID_ARGUMENT for other names, counts, dtypes or shapes than the program's; OUT_OF_MEMORY,
   *   DISPOSED
   */
  async run(inputs: readonly Tensor[] | Readonly<Record<string, Tensor>>, functionName?: string): Promise<Tensor[]> {
    const self = Stage.#self(this)
    const name = self.#chooseFunction(functionName)
    const specs = self.functions[name]!.inputs
    if (inputs === null || typeof inputs !== 'object')
      throw invalid('inputs', 'a list of tensors or an object of tensors by input name', inputs)
    const values = isList(inputs)
      ? copyList('inputs', inputs, specs.length)
      : ordered(
          specs.map(spec => spec.name),
          inputs as Record<string, unknown>
        )
    if (values?.length !== specs.length)
      throw invalid('inputs', `${specs.length} tensors (${specs.map(spec => spec.name).join(', ')})`, values ?? inputs)
    const handle = self.#handle
    if (handle === undefined) throw disposed('stage')
    const handles = values.map((value, index) => expectTensor(`inputs.${specs[index]!.name}`, value).handle)
    return (await nativeCall(() => loadAddon().runStage(handle, name, handles))).map(output => new Tensor(output))
  }

  #chooseFunction(name: unknown): string {
    const names = Object.keys(this.functions)
    if (name !== undefined) return expectOneOf('functionName', name, names)
    if (names.includes('forward')) return 'forward'
    if (names.length === 1) return names[0]!
    throw invalid('functionName', `one of ${names.join(', ')}`, name)
  }

  /** The receiver of a method, which may have been borrowed for another object. */
  static #self(receiver: unknown): Stage {
    if (receiver !== null && typeof receiver === 'object' && #handle in receiver) return receiver
    throw invalid('this', 'a Stage', receiver)
  }

  /** Whether `dispose` was called. `run` then rejects with DISPOSED. */
  get disposed(): boolean {
    return Stage.#self(this).#handle === undefined
  }

  /**
   * Frees the program as soon as the call under way has ended. Calls that wait reject with DISPOSED. It may be called again.
   */
  async dispose(): Promise<void> {
    const self = Stage.#self(this)
    const handle = self.#handle
    self.#handle = undefined
    if (handle !== undefined) self.#closing = loadAddon().disposeStage(handle)
    await self.#closing
  }

  /** `dispose`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Stage.#self(this).dispose()
  }
}

function ordered(names: readonly string[], inputs: Record<string, unknown>): unknown[] {
  const known = knownOptions('inputs', inputs, names)
  return names.map(name => known[name])
}

/** The artefacts that the manifest beside the file describes; none if there is no manifest or it does not list the file. */
async function findInManifest(path: string, kind: Artefact['kind']): Promise<Artefact[]> {
  try {
    const { manifest } = await readModel(dirname(path))
    const listed = Object.values(manifest.stages)
      .flatMap(stage => stage.artefacts)
      .filter(artefact => artefact.file === basename(path))
    const found = listed.filter(artefact => artefact.kind === kind)
    if (found.length === 0 && listed.length > 0)
      throw new WuerstchenError(
        'MODEL_MISMATCH',
        `Expected compiled libraries for ${basename(path)} but the model directory has none`,
        { subject: path }
      )
    return found
  } catch (error) {
    if (WuerstchenError.is(error, 'MODEL_NOT_FOUND') && isAbsence(error.cause)) return []
    throw error
  }
}

/** Whether there is no manifest. One that cannot be read may list the file. */
function isAbsence(cause: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException | undefined)?.code ?? '')
}

async function unlistedProgram(
  path: string,
  dtype: FloatDtype,
  given: Partial<Record<(typeof OPTIONS)[number], unknown>>
): Promise<OpenProgram> {
  if (given.functions === undefined)
    throw invalid('functions', 'the inputs and outputs of each function, as no manifest beside the file lists it,', undefined)
  const parsed = reading('functions', () => FUNCTIONS.safeParse(given.functions))
  if (!parsed.success)
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected the inputs and outputs of each function for functions but ${wrongFields(parsed.error)}`,
      { subject: 'functions' }
    )
  if (given.kind === 'aoti')
    throw invalid('kind', 'torchscript, as only a model directory says what libraries are for,', given.kind)
  const facts = { file: basename(path), size: 0, sha256: '' }
  const file = await openVerified({ directory: dirname(path), facts, check: false })
  const { fd, stamp } = file
  return new OpenProgram({ kind: 'torchscript', file: file.path, fd, stamp, dtype, storage: dtype, functions: parsed.data }, file)
}
