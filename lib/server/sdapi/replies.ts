import { z } from 'zod'
import { toWebuiText, WEBUI_SAMPLERS, type GenerationParameters } from '../../internal.js'
import { DEFAULT_SAMPLER } from '../../options/sampling.js'
import type { ApiError } from '../api/error.js'
import { base64 } from '../api/replies.js'
import type { JobView } from '../jobs/store.js'
import type { JobResult } from '../jobs/work.js'
import type { ModelFacts } from '../models/model.js'
import { samplerNamed, type WebuiBody } from './fields.js'

export const WEBUI_IMAGES = z.object({
  images: z.array(z.string()).describe('PNG files, in base64.'),
  parameters: z.looseObject({}).describe('The request.'),
  info: z.string().describe('JSON: the seeds that were used, and the text that describes each image.')
})

export const WEBUI_ERROR = z.object({ error: z.string(), detail: z.string(), body: z.string(), errors: z.string() })

export const WEBUI_PROGRESS = z.object({
  progress: z.number().min(0).max(1),
  eta_relative: z.number().describe('Seconds.'),
  state: z.object({
    skipped: z.boolean(),
    interrupted: z.boolean(),
    stopping_generation: z.boolean(),
    job: z.string(),
    job_count: z.int(),
    job_timestamp: z.string(),
    job_no: z.int(),
    sampling_step: z.int(),
    sampling_steps: z.int()
  }),
  current_image: z.string().nullable(),
  textinfo: z.string().nullable()
})

export function webuiError(error: ApiError): z.infer<typeof WEBUI_ERROR> {
  return { error: error.code, detail: error.message, body: '', errors: '' }
}

export function webuiImages(
  body: WebuiBody,
  { images }: Extract<JobResult, { kind: 'images' }>,
  { defaults, name, hash }: ModelFacts
): z.infer<typeof WEBUI_IMAGES> {
  const { init_images: _, mask: __, url: ___, auth: ____, ...parameters } = body as WebuiBody & Record<string, unknown>
  const [first] = images
  const each = <Value>(value: Value) => images.map(() => value)
  const [prompt, negativePrompt] = [body.prompt ?? '', body.negative_prompt ?? '']
  const seeds = images.map(({ seed }) => seed)
  const info = {
    prompt,
    all_prompts: each(prompt),
    negative_prompt: negativePrompt,
    all_negative_prompts: each(negativePrompt),
    seed: seeds[0],
    all_seeds: seeds,
    subseed: seeds[0],
    all_subseeds: seeds,
    subseed_strength: 0,
    width: first?.width,
    height: first?.height,
    sampler_name: WEBUI_SAMPLERS[samplerNamed(body) ?? DEFAULT_SAMPLER],
    cfg_scale: body.cfg_scale ?? defaults.priorGuidanceScale,
    steps: body.steps ?? defaults.priorTimesteps.length - 1,
    batch_size: images.length,
    restore_faces: false,
    sd_model_name: name,
    sd_model_hash: hash.slice(0, 10),
    denoising_strength: body.denoising_strength ?? null,
    index_of_first_image: 0,
    infotexts: images.map(image => toWebuiText(image.parameters as GenerationParameters)),
    styles: [],
    clip_skip: 1,
    is_using_inpainting_conditioning: false
  }
  return { images: images.map(({ file }) => base64(file)), parameters, info: JSON.stringify(info) }
}

/** How far the oldest of somebody's jobs is; both loops count as a half. */
export function webuiProgress(views: readonly JobView[]): z.infer<typeof WEBUI_PROGRESS> {
  const [first] = views
  const steps = (first?.progress ?? []).map(at => (at === null ? 0 : shareOf(at)))
  const progress = steps.length === 0 ? 0 : steps.reduce((sum, share) => sum + share, 0) / steps.length
  const current = first?.progress.find(at => at !== null)
  const startedAt = first?.startedAt ?? Date.now()
  const seconds = (Date.now() - startedAt) / 1000
  return {
    progress,
    eta_relative: progress === 0 ? 0 : seconds / progress - seconds,
    state: {
      skipped: false,
      interrupted: false,
      stopping_generation: false,
      job: first?.id ?? '',
      job_count: views.length,
      job_timestamp: first === undefined ? '0' : new Date(first.createdAt).toISOString().replace(/\D/g, '').slice(0, 14),
      job_no: 0,
      sampling_step: current?.step ?? 0,
      sampling_steps: current?.steps ?? 0
    },
    current_image: null,
    textinfo: null
  }
}

function shareOf({ stage, step, steps }: NonNullable<JobView['progress'][number]>): number {
  if (stage === 'vqDecoder') return 0.99
  return (stage === 'prior' ? 0 : 0.5) + (0.5 * Math.min(step, steps)) / Math.max(1, steps)
}
