import { z } from 'zod'
import type { RecordedName, ValueOf } from '../options/sampling.js'
import { RECORDED, rowOf } from '../options/scalars.js'

const NUMBERS = z.array(z.number().min(0).max(1)).min(2)
const SEED = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const SHA256 = z.string().regex(/^[0-9a-f]{64}$/)
const SHARE = z.number().min(0).max(1)

const INPUT = z.object({
  operation: z.enum(['encode', 'reconstruct', 'vary', 'edit']),
  sha256: SHA256,
  fit: z.enum(['cover', 'fill']),
  strength: SHARE.optional(),
  maskSha256: SHA256.optional(),
  feather: z.number().int().min(0).optional()
})
const MIXED_PART = z.object({
  weight: z.number(),
  prompt: z.string().optional(),
  seed: SEED.optional(),
  sha256: SHA256.optional()
})

/** The scalars of the table of sampling parameters that files record. */
const SCALARS = Object.fromEntries(RECORDED.map(name => [name, valueOf(name).optional()])) as {
  [Name in RecordedName]: z.ZodOptional<z.ZodType<ValueOf<Name>>>
}

function valueOf(name: RecordedName): z.ZodType {
  const { check } = rowOf(name)
  return check.kind === 'choice' ? z.enum(check.values) : z.number()
}

/** The contents of a file are input like any other, and are checked like it. */
export const PARAMETERS = z.object({
  prompt: z.string(),
  negativePrompt: z.string(),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  seed: SEED,
  decoderSeed: SEED.optional(),
  priorTimesteps: NUMBERS.optional(),
  decoderTimesteps: NUMBERS.optional(),
  // A list and no tuple: the OpenAPI document spells tuples in a way that its readers do not know.
  priorGuidanceInterval: (z.array(SHARE).length(2) as unknown as z.ZodType<[number, number]>).optional(),
  ...SCALARS,
  decoderPrompt: z.string().optional(),
  decoderNegativePrompt: z.string().optional(),
  input: INPUT.optional(),
  mixedFrom: z.array(MIXED_PART).optional(),
  decoderStrength: SHARE.optional(),
  givenTensors: z.array(z.string()).optional(),
  model: z.object({ name: z.string(), hash: z.string() }),
  device: z.string(),
  dtype: z.string(),
  versions: z.object({ wuerstchen: z.string(), torch: z.string() }),
  rng: z.literal('torch-cpu')
})

/** A part of the parameters: what an embedding knows about its origin. */
export const PARTIAL_PARAMETERS = PARAMETERS.partial()
