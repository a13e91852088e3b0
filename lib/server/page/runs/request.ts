import { toBase64 } from '../api/base64.js'
import type { Ask, Start } from './ask.js'
import type { Run } from './run.js'

export interface Request {
  endpoint: string
  body: Record<string, unknown>
}

const ENDPOINTS = {
  vary: '/v1/images/variations',
  edit: '/v1/images/edits',
  mix: '/v1/image-embeddings/decode'
} as const

/** Previews of each picture: the most that the API gives. */
const PREVIEWS = 3

/** What is sent for it, but for files. JSON leaves out what is undefined. */
export function requestOf(ask: Ask): Request {
  const { start } = ask
  const words = {
    model: ask.model,
    prompt: ask.prompt === '' ? undefined : ask.prompt,
    negative_prompt: ask.negativePrompt === '' ? undefined : ask.negativePrompt
  }
  const decoder = {
    preset: ask.preset,
    decoder_steps: ask.decoderSteps,
    decoder_guidance_scale: ask.decoderGuidance,
    decoder_sampler: ask.decoderSampler
  }
  if (start?.mode === 'mix') return { endpoint: ENDPOINTS.mix, body: { ...words, seed: ask.seed, ...decoder } }
  return {
    endpoint: start === undefined ? '/v1/images/generations' : ENDPOINTS[start.mode],
    body: {
      ...words,
      size: ask.size,
      n: ask.count,
      seed: ask.seed,
      prior_steps: ask.priorSteps,
      prior_guidance_scale: ask.priorGuidance,
      prior_sampler: ask.priorSampler,
      ...decoder,
      ...(start === undefined ? {} : { strength: start.strength })
    }
  }
}

/** The request that `POST /v1/jobs` takes: the same whenever it is made, so that it can be sent again. */
export async function toJob({ ask, mixed }: Pick<Run, 'ask' | 'mixed'>): Promise<Request> {
  const { endpoint, body } = requestOf(ask)
  const { start } = ask
  if (start?.mode === 'mix') return { endpoint, body: { ...body, embeddings: mixed } }
  return { endpoint, body: { ...body, partial_images: PREVIEWS, ...(start === undefined ? {} : await filesOf(start)) } }
}

async function filesOf({ mode, file, mask }: Start): Promise<Record<string, string>> {
  const image = await toBase64(file)
  return mode === 'edit' && mask !== undefined ? { image, mask: await toBase64(mask), mask_changes: 'white' } : { image }
}
