import { z } from 'zod'
import { DTYPE_NAMES, FLOAT_DTYPES } from '../dtypes.js'

/** `wuerstchen.json`, format 1: what a model directory holds. The JSON Schema in docs/ says the same. */

const DTYPE = z.enum(DTYPE_NAMES)
const FLOATING = z.enum(FLOAT_DTYPES)
const POSITIVE = z.number().finite().positive()
/** Pixels or latents a cell; outside these bounds no side would ever be found that fits. */
const RATIO = z.number().min(1).max(4096)
const SHA256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')

/** Plain names below the directory: no absolute path, no `.` or `..`, no backslash. */
const FILE = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/, 'expected a plain relative file name')

const FILE_FACTS = { file: FILE, size: z.number().int().nonnegative(), sha256: SHA256 }

const TENSOR = z.object({
  name: z.string().min(1),
  dtype: DTYPE,
  shape: z.array(z.union([z.number().int().nonnegative(), z.string().min(1)]))
})

export const FUNCTION = z.object({ inputs: z.array(TENSOR), outputs: z.array(TENSOR).min(1) })

const LIMIT = z.object({
  least: z.number().int().positive(),
  most: z.number().int().positive(),
  multipleOf: z.number().int().positive()
})
const LIBRARIES = z.record(z.string(), z.object({ ...FILE_FACTS, limits: z.record(z.string(), LIMIT) }))

/** What a program needs of the machine. */
const NEEDS = {
  device: z.enum(['cpu', 'cuda']),
  /** Lowest CPU instruction set, in the spelling of `doctor`; null: any. */
  isa: z.string().nullable(),
  /** CUDA compute capability it was built for; null: any. */
  gpuArch: z.string().nullable(),
  torch: z.string().regex(/^\d+\.\d+/)
}

const ARTEFACT = z.object({
  ...FILE_FACTS,
  kind: z.literal('torchscript'),
  /** The dtype it computes in, and the one its weights are stored in. */
  dtype: FLOATING,
  storage: FLOATING,
  ...NEEDS,
  functions: z.record(z.string(), FUNCTION)
})

const STAGE = z.object({
  parameters: z.number().int().nonnegative().optional(),
  config: z.record(z.string(), z.unknown()).optional(),
  /** LoRAs merged into the weights at export. */
  loras: z.array(z.object({ name: z.string(), sha256: SHA256, scale: z.number() })).optional(),
  artefacts: z.array(ARTEFACT)
})

const TOKENIZER = z.object({
  ...FILE_FACTS,
  maxLength: z.number().int().min(3).max(4096),
  padTokenId: z.number().int().nonnegative()
})

const SCHEDULER = z.object({ scaler: POSITIVE, s: POSITIVE })
const LEVEL = z.number().min(0).max(1)

export const MANIFEST = z.object({
  formatVersion: z.literal(1),
  name: z.string().min(1),
  license: z.string(),
  exporter: z.object({ version: z.string(), torch: z.string() }),
  constants: z.object({
    latentMean: z.number().finite(),
    latentStd: z.number().finite(),
    resolutionMultiple: RATIO,
    latentDimScale: RATIO,
    scaleFactor: POSITIVE,
    /** Spread of the image encoder's embeddings, where there is one: what `strength` is measured by. */
    embeddingStd: POSITIVE.optional(),
    scheduler: z.object({ prior: SCHEDULER, decoder: SCHEDULER })
  }),
  defaults: z.object({
    width: z.number().int().positive(),
    height: z.number().int().positive(),
    priorTimesteps: z
      .array(LEVEL)
      .min(2)
      .max(1001)
      .refine(
        levels => levels.every((level, index) => index === 0 || level < levels[index - 1]!),
        'expected descending noise levels'
      ),
    priorGuidanceScale: z.number().min(0),
    decoderSteps: z.number().int().positive().max(1000),
    decoderGuidanceScale: z.number().min(0)
  }),
  tokenizers: z.object({ priorTextEncoder: TOKENIZER, decoderTextEncoder: TOKENIZER }).partial(),
  stages: z
    .object({
      priorTextEncoder: STAGE,
      prior: STAGE,
      decoderTextEncoder: STAGE,
      decoder: STAGE,
      vqDecoder: STAGE,
      vqEncoder: STAGE,
      imageEncoder: STAGE,
      previewer: STAGE
    })
    .partial()
})

/** `compiled/compiled.json`: libraries made on this machine for programs of the manifest. */
export const COMPILED = z.object({
  formatVersion: z.literal(2),
  artefacts: z.array(
    z.object({ stage: z.string(), program: z.object({ file: FILE, sha256: SHA256 }), ...NEEDS, libraries: LIBRARIES })
  )
})

/** A program, or, kind `aoti`, a program with compiled libraries, which `file` gives weights and the rest of the functions. */
export type Artefact =
  | z.infer<typeof ARTEFACT>
  | (Omit<z.infer<typeof ARTEFACT>, 'kind'> & {
      kind: 'aoti'
      libraries: z.infer<typeof LIBRARIES> /** Why it cannot be used, whatever the machine. */
      unusable: string | null
    })
type Written = z.infer<typeof MANIFEST>
/** The manifest with what has been compiled for it. */
export type Manifest = Omit<Written, 'stages'> & {
  stages: {
    [Name in keyof Written['stages']]?: Omit<NonNullable<Written['stages'][Name]>, 'artefacts'> & { artefacts: Artefact[] }
  }
}

/** A model directory whose manifest has been read; its other files have not been touched yet. */
export interface ModelDirectory {
  /** Absolute path. */
  path: string
  manifest: Manifest
  /** SHA-256 of wuerstchen.json, which names every file by its own: it identifies the model to the last bit. */
  hash: string
}

export type TokenizerFacts = z.infer<typeof TOKENIZER>
export interface FileFacts {
  file: string
  size: number
  sha256: string
}

/** The files of an artefact's compiled functions, by function. */
export function librariesOf(artefact: Artefact): [string, z.infer<typeof LIBRARIES>[string]][] {
  return artefact.kind === 'aoti' ? Object.entries(artefact.libraries) : []
}

/** What an artefact is called where all are listed: its file, or its libraries. */
export function labelOf(artefact: Artefact): string {
  return (
    librariesOf(artefact)
      .map(([, { file }]) => file)
      .join(', ') || artefact.file
  )
}
