import { z } from 'zod'
import { Embeddings } from '../../index.js'
import { invalid, WuerstchenError } from '../../errors.js'
import { FORMAT_NAMES } from '../../internal.js'
import type { Call } from '../../options/sampling.js'
import { optionsOf } from '../../options/scalars.js'
import { checkImage } from '../api/upload.js'
import type { Work } from '../jobs/work.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { expectWithin } from './worker-limits.js'

/** Calls of the library that kinds of work become. */
const CALLS = {
  generate: 'generate',
  edit: 'edit',
  vary: 'vary',
  decode: 'decode',
  embedText: 'prior',
  embedImage: 'encodeImage'
} as const satisfies Record<Work['kind'], Call>

/** Options that are no plain data, or that would have the library open a file of this machine. */
const NEVER: ReadonlySet<string> = new Set(['mask', 'latents', 'promptEmbeds', 'negativePromptEmbeds'])

const SIMPLE = z.union([z.string(), z.number(), z.boolean()])

function optionsSchema(call: Call) {
  const names = optionsOf(call).filter(name => !NEVER.has(name))
  return z.strictObject(Object.fromEntries(names.map(name => [name, z.union([SIMPLE, z.array(SIMPLE)]).optional()])))
}

const BYTES = z.custom<Buffer>(value => Buffer.isBuffer(value))
const FILE = z.strictObject({ format: z.enum(FORMAT_NAMES), quality: z.int().min(1).max(100).optional() })
const REPLY = z.strictObject({
  links: z.boolean(),
  ignored: z.array(z.string()),
  quality: z.enum(['auto', 'low', 'medium', 'high'])
})

const shape = <Kind extends Work['kind']>(kind: Kind) => ({
  kind: z.literal(kind),
  model: z.string(),
  images: z.int().min(1),
  reply: REPLY.optional(),
  options: optionsSchema(CALLS[kind])
})
const written = { file: FILE, previews: z.int().min(0).max(100) }
const mask = z.strictObject({ file: BYTES, changes: z.enum(['transparent', 'white']) })

const WORK = z.discriminatedUnion('kind', [
  z.strictObject({ ...shape('generate'), ...written }),
  z.strictObject({ ...shape('edit'), ...written, source: BYTES, mask: mask.optional(), ownMask: z.literal(true).optional() }),
  z.strictObject({ ...shape('vary'), ...written, source: BYTES }),
  z.strictObject({ ...shape('decode'), file: FILE, embeddings: BYTES }),
  z.strictObject(shape('embedText')),
  z.strictObject({ ...shape('embedImage'), source: BYTES })
])

/**
 * Work as it comes from the queue, which is not trusted: whoever can write there could have it say anything. It is checked as
 * requests are, against the limits of this worker; the library checks the values of options.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function checkedWork(value: unknown, facts: ModelFacts, limits: Limits): Promise<Work> {
  const { success, data, error } = WORK.safeParse(value)
  if (!success) throw invalid(`work.${error.issues[0]!.path.join('.')}`, 'work as a server writes it', undefined)
  const work = data as Work
  if (work.model !== facts.name) throw invalid('work.model', `the model ${facts.name}`, work.model)
  expectWithin(work, limits)
  await expectImages(work, facts, limits)
  const made = await imagesOf(work)
  if (made !== work.images) throw invalid('work.images', `${made}, as many as the work makes,`, work.images)
  return work
}

/** How many images the options ask for, which is what their room and their owner's share are counted in. */
async function imagesOf(work: Work): Promise<number> {
  const { prompt, numImagesPerPrompt, n, seeds } = work.options as {
    prompt?: unknown
    numImagesPerPrompt?: number
    n?: number
    seeds?: readonly unknown[]
  }
  if (work.kind === 'embedImage') return 1
  if (work.kind === 'decode') {
    using embeddings = await Embeddings.load(work.embeddings)
    return embeddings.tensor.shape[0]!
  }
  const prompts = Array.isArray(prompt) ? prompt.length : 1
  return prompts * (numImagesPerPrompt ?? n ?? seeds?.length ?? 1)
}

async function expectImages(work: Work, facts: ModelFacts, limits: Limits): Promise<void> {
  const files = [
    'source' in work ? (['image', work.source] as const) : undefined,
    'mask' in work && work.mask !== undefined ? (['mask', work.mask.file] as const) : undefined
  ]
  for (const file of files) {
    if (file === undefined) continue
    const [name, bytes] = file
    try {
      await checkImage(name, bytes as Buffer, facts, limits)
    } catch (error) {
      throw new WuerstchenError('INVALID_ARGUMENT', (error as Error).message, { subject: name, cause: error })
    }
  }
}
