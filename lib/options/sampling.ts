/**
 * The table of sampling parameters: a row for each scalar that a call on a pipeline takes. Option lists, command-line flags,
 * fields of requests, recorded metadata, the model list and the checks of the documentation are made from it. Texts, images,
 * tensors and lists are not scalars. They are written by hand, and `others.ts` has their names. The table stands below all
 * folders, because metadata (image/) and requests (server/) need it as well as the plan.
 */

/** The names of the calls on a pipeline that make something. */
export type Call = 'generate' | 'prior' | 'decode' | 'encodeImage' | 'encodeLatents' | 'reconstruct' | 'vary' | 'edit'

/**
 * The largest side in pixels. Beyond it the two published constants give different sizes, and memory would not suffice anyway.
 */
export const LARGEST_SIDE = 8192
export const MOST_STEPS = 1000
export const MOST_IMAGES = 4096
/**
 * The largest guidance scale. No prompt needs a hundredth of it. In float16 a network's numbers can become infinite already below
 * it (seen at 1000 with a random decoder); the call then rejects with NOT_FINITE, whatever the scale.
 */
export const LARGEST_GUIDANCE = 1000
/** Seeds are integers that JavaScript and torch both hold exactly. */
export const LARGEST_SEED = Number.MAX_SAFE_INTEGER
/** The largest feather in pixels. A wider one would leave nothing of most masks. */
const LARGEST_FEATHER = 1024

/** The samplers of both stages. `ddpm` is the reference's. Formulas and sources: cpp/core/schedule.h. */
export const SAMPLERS = ['ddpm', 'ddim', 'dpm-solver++'] as const
export type Sampler = (typeof SAMPLERS)[number]
export const DEFAULT_SAMPLER = 'ddpm' satisfies Sampler

/** Values for samplers, steps and guidance interval that a model's manifest names. `reference` is the model's defaults. */
export const PRESETS = ['reference', 'balanced', 'fast'] as const
export type Preset = (typeof PRESETS)[number]

export const DEFAULT_STRENGTH = { reconstruct: 0, vary: 0.5, edit: 0.8, editWithMask: 1 } as const

/** The numbers of a manifest that are used if a call gives none. */
interface ModelDefaults {
  width: number
  height: number
  priorTimesteps: readonly number[]
  priorGuidanceScale: number
  decoderSteps: number
  decoderGuidanceScale: number
}

type Check = { kind: 'integer' | 'number'; least: number; most: number } | { kind: 'choice'; values: readonly string[] }

/** One text for all calls that take the parameter, or one for each. Calls without a text then do not have the flag or field. */
export type Texts = string | Readonly<Partial<Record<Call, string>>>

export interface Row {
  /** The half of the model that it steers; null if it is about the image as a whole. */
  stage: 'prior' | 'decoder' | null
  calls: readonly Call[]
  check: Check
  /** The default in a model's manifest; absent if the default does not come from the model. */
  modelDefault?: (defaults: ModelDefaults) => number
  /** Its flag on the command line; null if there is none. `short` replaces the name in kebab-case. */
  flag: { value: string; text: Texts; short?: string } | null
  /**
   * The description of its field in the OpenAPI document. The field is its name in snake_case. null: requests say it in another
   * way.
   */
  field: Texts | null
  /** Whether an image file records it, under its own name. */
  recorded: boolean
}

const integer = (least: number, most: number) => ({ kind: 'integer', least, most }) as const
const number = (least: number, most: number) => ({ kind: 'number', least, most }) as const

const SAMPLER_FLAG = { value: '<name>', text: `ddpm, ddim or dpm-solver++ (default: ${DEFAULT_SAMPLER})` }

const FROM_TEXT = ['generate', 'prior'] as const
const FROM_IMAGE = ['encodeImage', 'encodeLatents', 'reconstruct', 'vary', 'edit'] as const
const THROUGH_PRIOR = ['generate', 'prior', 'vary', 'edit'] as const
const THROUGH_DECODER = ['generate', 'decode', 'reconstruct', 'vary', 'edit'] as const

const FIT_SIDE = "a multiple of 128 (default: nearest to the image, up to the model's size)"
const SIDE = 'a multiple of 128'

export const SAMPLING = {
  width: {
    stage: null,
    calls: [...FROM_TEXT, ...FROM_IMAGE],
    check: integer(1, LARGEST_SIDE),
    modelDefault: defaults => defaults.width,
    flag: {
      value: '<pixels>',
      text: { generate: SIDE, encodeImage: FIT_SIDE, reconstruct: FIT_SIDE, vary: FIT_SIDE, edit: FIT_SIDE }
    },
    // Requests give width and height together, as OpenAI's `size`.
    field: null,
    recorded: false
  },
  height: {
    stage: null,
    calls: [...FROM_TEXT, ...FROM_IMAGE],
    check: integer(1, LARGEST_SIDE),
    modelDefault: defaults => defaults.height,
    flag: { value: '<pixels>', text: SIDE },
    field: null,
    recorded: false
  },
  fit: {
    stage: null,
    calls: FROM_IMAGE,
    check: { kind: 'choice', values: ['cover', 'fill'] },
    flag: { value: '<kind>', text: 'cut the rest off, or stretch (default: cover)' },
    field: 'cover cuts off what does not fit the size, fill stretches.',
    recorded: false
  },
  numImagesPerPrompt: {
    stage: null,
    calls: FROM_TEXT,
    check: integer(1, MOST_IMAGES),
    flag: { value: '<n>', text: 'default: 1' },
    // OpenAI's `n`.
    field: null,
    recorded: false
  },
  n: {
    stage: null,
    calls: ['reconstruct', 'vary', 'edit'],
    check: integer(1, MOST_IMAGES),
    flag: { value: '<n>', text: 'images of each image (default: 1)', short: '-n' },
    field: null,
    recorded: false
  },
  seed: {
    stage: null,
    calls: ['generate', 'prior', 'decode', 'reconstruct', 'vary', 'edit'],
    check: integer(0, LARGEST_SEED),
    flag: { value: '<n>', text: 'image k uses seed + k (default, and -1: random)' },
    // Its upper bound depends on how many images a request makes.
    field: null,
    recorded: false
  },
  strength: {
    stage: null,
    calls: ['decode', 'vary', 'edit'],
    check: number(0, 1),
    flag: {
      value: '<x>',
      text: {
        vary: `0 keeps the image, 1 nothing of it (default: ${DEFAULT_STRENGTH.vary})`,
        edit: `0 keeps the image, 1 nothing of it (default: ${DEFAULT_STRENGTH.edit}, with a mask ${DEFAULT_STRENGTH.editWithMask})`
      }
    },
    field: {
      vary: `0 keeps the image, 1 nothing of it; ${DEFAULT_STRENGTH.vary} where it is left out.`,
      edit: `0 keeps the image, 1 nothing of it; ${DEFAULT_STRENGTH.edit}, with a mask ${DEFAULT_STRENGTH.editWithMask} where it is left out.`
    },
    recorded: false
  },
  feather: {
    stage: null,
    calls: ['edit'],
    check: integer(0, LARGEST_FEATHER),
    flag: { value: '<pixels>', text: 'pixels within the mask over which the new image fades in' },
    field: 'Pixels within the mask over which the new image fades in; 1/64 of the shorter side where it is left out.',
    recorded: false
  },
  previews: {
    stage: null,
    calls: ['generate', 'vary', 'edit'],
    check: integer(0, MOST_STEPS),
    flag: null,
    // OpenAI's `partial_images`.
    field: null,
    recorded: false
  },
  preset: {
    stage: null,
    calls: ['generate', 'prior', 'decode', 'reconstruct', 'vary', 'edit'],
    check: { kind: 'choice', values: PRESETS },
    flag: { value: '<name>', text: 'steps and samplers by name: reference, balanced or fast (default: reference)' },
    field: 'Steps and samplers by name; reference where it is left out. What is given beside it goes first.',
    // Files record what it stood for.
    recorded: false
  },
  priorSampler: {
    stage: 'prior',
    calls: THROUGH_PRIOR,
    check: { kind: 'choice', values: SAMPLERS },
    flag: SAMPLER_FLAG,
    field: 'Sampler of the prior; ddpm where it is left out.',
    recorded: true
  },
  priorSteps: {
    stage: 'prior',
    calls: THROUGH_PRIOR,
    check: integer(1, MOST_STEPS),
    modelDefault: defaults => defaults.priorTimesteps.length - 1,
    flag: {
      value: '<n>',
      text: {
        generate: 'steps of the prior, spaced as they suit the sampler',
        vary: 'steps that a strength of 1 takes',
        edit: 'steps that a strength of 1 takes'
      }
    },
    field: "Steps of the prior, spaced as they suit the sampler; the model's own schedule where it is left out.",
    // Files record the timesteps themselves.
    recorded: false
  },
  priorGuidanceScale: {
    stage: 'prior',
    calls: THROUGH_PRIOR,
    check: number(0, LARGEST_GUIDANCE),
    modelDefault: defaults => defaults.priorGuidanceScale,
    flag: { value: '<x>', text: 'guidance works above 1' },
    field: 'How closely the prior follows the prompt; works above 1.',
    recorded: true
  },
  decoderSampler: {
    stage: 'decoder',
    calls: THROUGH_DECODER,
    check: { kind: 'choice', values: SAMPLERS },
    flag: SAMPLER_FLAG,
    field: 'Sampler of the decoder; ddpm where it is left out.',
    recorded: true
  },
  decoderSteps: {
    stage: 'decoder',
    calls: THROUGH_DECODER,
    check: integer(1, MOST_STEPS),
    modelDefault: defaults => defaults.decoderSteps,
    flag: { value: '<n>', text: 'steps of the decoder, spaced as they suit the sampler' },
    field: 'Steps of the decoder.',
    recorded: false
  },
  decoderGuidanceScale: {
    stage: 'decoder',
    calls: THROUGH_DECODER,
    check: number(0, LARGEST_GUIDANCE),
    modelDefault: defaults => defaults.decoderGuidanceScale,
    flag: { value: '<x>', text: 'guidance works above 1' },
    field: 'How closely the decoder follows the prompt; works above 1.',
    recorded: true
  }
} as const satisfies Record<string, Row>

type Table = typeof SAMPLING
export type ScalarName = keyof Table
export type ValueOf<Name extends ScalarName> = Table[Name]['check'] extends { values: readonly (infer Value)[] } ? Value : number

/** The names of a call's scalars. */
export type ScalarOf<Of extends Call> = {
  [Name in ScalarName]: Of extends Table[Name]['calls'][number] ? Name : never
}[ScalarName]

/** The scalars of a call, each of which may be left out. */
export type Scalars<Of extends Call> = { [Name in ScalarOf<Of>]?: ValueOf<Name> }

export type RecordedName = { [Name in ScalarName]: Table[Name]['recorded'] extends true ? Name : never }[ScalarName]
