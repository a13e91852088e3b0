import { toBase64 } from './base64.js'

/** What somebody asks for, as the form has it and the history keeps it. Undefined: as the model would. */
export interface Ask {
  model: string
  prompt: string
  negativePrompt: string
  /** WIDTHxHEIGHT or auto. */
  size: string
  count: number
  seed: number | undefined
  priorSteps: number | undefined
  priorGuidance: number | undefined
  decoderSteps: number | undefined
  decoderGuidance: number | undefined
  start: Start | undefined
}

/** A picture to start from, and what to do with it. */
export interface Start {
  mode: 'vary' | 'edit'
  file: Blob
  name: string
  strength: number | undefined
  /** White where the picture is to change. */
  mask: Blob | undefined
}

/** The request that `POST /v1/jobs` takes; JSON leaves out what is undefined. */
export async function toJob(ask: Ask): Promise<object> {
  const { start } = ask
  const endpoint = start === undefined ? 'generations' : start.mode === 'edit' ? 'edits' : 'variations'
  const mask =
    start?.mode === 'edit' && start.mask !== undefined ? { mask: await toBase64(start.mask), mask_changes: 'white' } : {}
  const picture = start === undefined ? {} : { image: await toBase64(start.file), strength: start.strength, ...mask }
  return {
    endpoint: `/v1/images/${endpoint}`,
    body: {
      model: ask.model,
      prompt: ask.prompt === '' ? undefined : ask.prompt,
      negative_prompt: ask.negativePrompt === '' ? undefined : ask.negativePrompt,
      size: ask.size,
      n: ask.count,
      seed: ask.seed,
      prior_steps: ask.priorSteps,
      prior_guidance_scale: ask.priorGuidance,
      decoder_steps: ask.decoderSteps,
      decoder_guidance_scale: ask.decoderGuidance,
      partial_images: 3,
      ...picture
    }
  }
}

export function titleOf({ prompt, start }: Ask): string {
  if (prompt !== '') return prompt
  return start === undefined ? 'Without a prompt' : `Near ${start.name}`
}
