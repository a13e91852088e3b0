import { z } from 'zod'
import { DTYPE_NAMES, FLOAT_DTYPES } from '../dtypes.js'
import { STAGE_NAMES, type StageName } from '../native.js'
import { LARGEST_GUIDANCE, LARGEST_SIDE, MOST_STEPS, SAMPLERS } from '../options/sampling.js'

/** `wuerstchen.json`, format 1: what a model directory holds. docs/wuerstchen.schema.json is made from it (tested). */

const DTYPE = z.enum(DTYPE_NAMES)
const FLOATING = z.enum(FLOAT_DTYPES)
/** Pixels or latents for each cell. Outside these bounds, no side fits. */
const RATIO = z.number().min(1).max(4096)
/** The largest divisor of a symbol (cpp/core/spec.h). */
const UNIT = z.number().int().min(1).max(64)
const SHA256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')
/** Texts that are only shown. */
const SHOWN = z.string().max(256)

/** The most bytes of `wuerstchen.json`, and of `compiled/compiled.json`. */
export const LARGEST_MANIFEST = 16 * 1024 * 1024
const MOST_ARTEFACTS = 256
const MOST_FUNCTIONS = 16
const MOST_TENSORS = 128
const MOST_DIMENSIONS = 8
/** Of a dimension, fixed or within a library's limits. The largest of a published model is 5120. */
const LARGEST_DIMENSION = 2 ** 24
/** Above the id of every token. CLIP's is 49,407. */
export const LARGEST_TOKEN_ID = 2 ** 20 - 1

/** Plain names below the directory: no absolute path, no `.` or `..`, no backslash. */
const FILE = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/, 'expected a plain relative file name')
  .describe('Relative to the model directory.')

const FILE_FACTS = { file: FILE, size: z.number().int().positive().describe('Bytes.'), sha256: SHA256 }

const FUNCTION_NAME = z
  .string()
  .max(64)
  .regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'expected the name of a function')
const TENSOR_NAME = z
  .string()
  .max(64)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$/, 'expected the name of a tensor')
const SYMBOL_NAME = z
  .string()
  .max(32)
  .regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'expected the name of a dimension')
const SYMBOL = z
  .string()
  .max(40)
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,31}([/*]([1-9]|[1-5][0-9]|6[0-4]))?$/, 'expected a name, or one with / or * and 1 to 64')

const TENSOR = z
  .object({
    name: TENSOR_NAME,
    dtype: DTYPE,
    shape: z
      .array(z.union([z.number().int().positive().max(LARGEST_DIMENSION), SYMBOL]))
      .max(MOST_DIMENSIONS)
      .describe('A dimension is a number, or a symbol that has one value within a call; height/4 is a symbol too.')
  })
  .meta({ id: 'tensor' })

const FUNCTION = z.object({ inputs: z.array(TENSOR).max(MOST_TENSORS), outputs: z.array(TENSOR).max(MOST_TENSORS) })
export const FUNCTIONS = recordOf(FUNCTION_NAME, FUNCTION, MOST_FUNCTIONS, 1)

const SIZE = z.number().int().positive().max(LARGEST_DIMENSION)
const LIMIT = z
  .object({ least: SIZE, most: SIZE, multipleOf: SIZE })
  .refine(({ least, most, multipleOf }) => least <= most && multipleOf <= most, 'expected limits that some size keeps')
const LIBRARY = z.object({ ...FILE_FACTS, limits: recordOf(SYMBOL_NAME, LIMIT, MOST_TENSORS) })
const LIBRARIES = recordOf(FUNCTION_NAME, LIBRARY, MOST_FUNCTIONS)

const VERSION = z.string().max(64)

/** What a program needs from the machine. */
const NEEDS = {
  device: z.enum(['cpu', 'cuda']),
  isa: z.string().max(32).nullable().describe('Lowest CPU instruction set that it needs, in the spelling of doctor; null: any.'),
  gpuArch: z.string().max(32).nullable().describe('CUDA compute capability that it was built for; null: any.'),
  torch: VERSION.regex(/^\d{1,3}\.\d{1,3}/).describe('The version that made it.'),
  leastTorch: VERSION.regex(/^\d{1,3}\.\d{1,3}$/)
    .optional()
    .describe(
      'Oldest minor version of LibTorch that it runs on. Without it: any supported one, or that of torch where that is newer.'
    )
}

const ARTEFACT = z
  .object({
    ...FILE_FACTS,
    kind: z.literal('torchscript'),
    dtype: FLOATING.describe('What the program computes in.'),
    storage: FLOATING.describe('What its weights are stored in; they become dtype while they are loaded.'),
    ...NEEDS,
    functions: FUNCTIONS
  })
  .meta({ id: 'artefact' })

const STAGE = z
  .object({
    parameters: z.number().int().nonnegative().optional().describe('Of this stage in the checkpoint.'),
    config: z
      .record(z.string().max(128), z.unknown())
      .optional()
      .describe("The checkpoint's configuration; export --compile builds the network from it."),
    fingerprint: SHA256.optional().describe("Of the checkpoint's tensors: artefacts are added from the same checkpoint only."),
    origin: z
      .object({
        repository: SHOWN.describe('On the Hugging Face hub, or where HF_ENDPOINT led.'),
        commit: z.string().regex(/^[0-9a-f]{40}$/, 'expected 40 lower-case hexadecimal digits'),
        license: SHOWN.describe('As the model card of that commit says.')
      })
      .optional()
      .describe('Where the weights are from; only where they were fetched, or lie as pull wrote them.'),
    loras: z
      .array(
        z.object({
          name: SHOWN,
          sha256: SHA256,
          scale: z.number().min(-1000).max(1000),
          alphaFrom: z
            .array(z.enum(['tensor', 'adapter_config.json', 'lora_adapter_metadata', 'header', 'rank']))
            .max(5)
            .optional()
            .describe('Where the alphas of its modules stand; rank: nowhere, so that each is the rank.'),
          modules: z.number().int().positive().optional().describe('How many weights of this stage it changes.')
        })
      )
      .max(64)
      .optional()
      .describe('LoRAs that were merged into the weights, in this order.'),
    artefacts: z.array(ARTEFACT).max(MOST_ARTEFACTS)
  })
  .meta({ id: 'stage' })

const TOKENIZER = z
  .object({
    ...FILE_FACTS,
    maxLength: z
      .number()
      .int()
      .min(3)
      .max(512)
      .describe('Tokens of a text with start and end; longer texts are cut, shorter ones padded.'),
    padTokenId: z.number().int().nonnegative().max(LARGEST_TOKEN_ID).describe("Below the size of the tokenizer's vocabulary.")
  })
  .meta({ id: 'tokenizer' })

/** In these ranges the noise level falls with time and is finite in float32, in which the engine computes it (tested). */
const SCHEDULER = z.object({ scaler: z.number().min(0.1).max(10), s: z.number().min(1e-6).max(1) }).meta({ id: 'scheduler' })
const LEVEL = z.number().min(0).max(1)
const GUIDANCE = z.number().min(0).max(LARGEST_GUIDANCE)

const PRESET = z
  .strictObject({
    priorSampler: z.enum(SAMPLERS),
    priorSteps: z.number().int().positive().max(MOST_STEPS),
    priorGuidanceInterval: z
      .tuple([LEVEL, LEVEL])
      .refine(([from, to]) => from <= to, 'expected rising noise levels')
      .describe('Noise levels in which guidance works.'),
    decoderSampler: z.enum(SAMPLERS),
    decoderSteps: z.number().int().positive().max(MOST_STEPS)
  })
  .partial()
  .meta({ id: 'preset' })

export const MANIFEST = z.object({
  formatVersion: z.literal(1),
  name: SHOWN.min(1),
  license: SHOWN,
  exporter: z.object({ version: VERSION, torch: VERSION }),
  constants: z.object({
    // Latents are about 1, so outside these bounds embeddings are nothing but latentStd, or nothing that a half dtype holds.
    latentMean: z
      .number()
      .min(1e-3)
      .max(1e4)
      .describe("Stage B's embeddings are e = z * latentMean - latentStd of Stage C's latents z."),
    latentStd: z.number().min(-1e4).max(1e4),
    resolutionMultiple: RATIO.describe(
      'Pixels a cell of the embedding grid, rounded up: grid = ceil(pixels / resolutionMultiple).'
    ),
    latentDimScale: RATIO.describe(
      'Latents of Stage A a cell of the grid, rounded down: latents = floor(grid * latentDimScale).'
    ),
    latentUnit: UNIT.optional().describe("Sides of Stage B's latents are multiples of it. Left out, it is 16."),
    pixelsPerLatent: UNIT.optional().describe('Pixels that Stage A makes of a latent along a side. Left out, it is 4.'),
    scaleFactor: z.number().min(1e-4).max(1e4).describe("vqDecoder takes Stage B's latents times this."),
    embeddingStd: z
      .number()
      .min(1e-4)
      .max(1e4)
      .optional()
      .describe(
        "Spread of the image encoder's embeddings e, which strength is measured by; only where there is an image encoder."
      ),
    scheduler: z.object({ prior: SCHEDULER, decoder: SCHEDULER })
  }),
  defaults: z.object({
    width: z.number().int().positive().max(LARGEST_SIDE).describe('Pixels.'),
    height: z.number().int().positive().max(LARGEST_SIDE).describe('Pixels.'),
    priorTimesteps: z
      .array(LEVEL)
      .min(2)
      .max(MOST_STEPS + 1)
      .refine(
        levels => levels.every((level, index) => index === 0 || level < levels[index - 1]!),
        'expected descending noise levels'
      )
      .describe('Strictly descending noise levels.'),
    priorGuidanceScale: GUIDANCE,
    decoderSteps: z.number().int().positive().max(MOST_STEPS),
    decoderGuidanceScale: GUIDANCE
  }),
  presets: z
    .object({ balanced: PRESET, fast: PRESET })
    .partial()
    .optional()
    .describe('Fewer steps, by name. What a preset leaves out is as in defaults.'),
  tokenizers: z.object({ priorTextEncoder: TOKENIZER, decoderTextEncoder: TOKENIZER }).partial(),
  stages: z.object(Object.fromEntries(STAGE_NAMES.map(name => [name, STAGE])) as Record<StageName, typeof STAGE>).partial()
})

/** The JSON Schema of `wuerstchen.json`. Its descriptions say what a schema cannot say (that timesteps descend). */
export function manifestSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(MANIFEST, { io: 'input' })
  return { $schema, title: 'Manifest of a wuerstchen model directory (wuerstchen.json, format 1)', ...rest }
}

/** `compiled/compiled.json`: libraries for programs of the manifest. */
export const COMPILED = z.object({
  formatVersion: z.literal(2),
  artefacts: z
    .array(
      z.object({
        stage: z.enum(STAGE_NAMES),
        program: z.object({ file: FILE, sha256: SHA256 }),
        ...NEEDS,
        verified: z
          .boolean()
          .optional()
          .describe(
            'false: made for a GPU where there was none, so nothing has run it yet. Without it: compared with its program.'
          ),
        libraries: LIBRARIES
      })
    )
    .max(MOST_ARTEFACTS)
})

/** The first faults of a file that a schema refused. */
export function wrongFields({ issues }: z.ZodError): string {
  const shown = issues.slice(0, 3).map(({ path, message }) => `${path.join('.')}: ${message}`.slice(0, 200))
  return `${issues.length} of its fields are wrong: ${shown.join('; ')}`
}

function recordOf<Value extends z.ZodType>(name: z.ZodString, value: Value, most: number, least = 0) {
  const fits = ({ length }: string[]) => least <= length && length <= most
  return z.record(name, value).refine(record => fits(Object.keys(record)), `expected ${least} to ${most} entries`)
}

/** A program or, with the kind `aoti`, a program with compiled libraries. `file` then has the weights and the other functions. */
export type Artefact =
  | z.infer<typeof ARTEFACT>
  | (Omit<z.infer<typeof ARTEFACT>, 'kind'> & {
      kind: 'aoti'
      libraries: z.infer<typeof LIBRARIES>
      /** Whether some machine had compared the libraries with their program when the index was written. Each load does, too. */
      verified: boolean
      /** The reason why it cannot be used on any machine. */
      unusable: string | null
    })
type Written = z.infer<typeof MANIFEST>
/** The manifest with the libraries that have been compiled for it. */
export type Manifest = Omit<Written, 'stages'> & {
  stages: {
    [Name in keyof Written['stages']]?: Omit<NonNullable<Written['stages'][Name]>, 'artefacts'> & { artefacts: Artefact[] }
  }
}

/** A model directory whose manifest has been read. Its other files have not been opened yet. */
export interface ModelDirectory {
  /** Absolute path. */
  path: string
  manifest: Manifest
  /** SHA-256 of wuerstchen.json. The manifest has the SHA-256 of every file, so this one identifies the model to the last bit. */
  hash: string
}

export type TokenizerFacts = z.infer<typeof TOKENIZER>
export interface FileFacts {
  file: string
  size: number
  sha256: string
}
