import { invalidField } from '../api/error.js'
import type { ModelFacts } from '../models/model.js'
import { samplerNamed, type WebuiBody } from './fields.js'

/** The names of our fields that stand for one of webui's, so that errors name what was sent. */
export const SPELT: Readonly<Record<string, string>> = {
  n: 'batch_size',
  size: 'width',
  prior_steps: 'steps',
  prior_sampler: 'sampler_name',
  decoder_sampler: 'sampler_name',
  prior_guidance_scale: 'cfg_scale',
  strength: 'denoising_strength',
  image: 'init_images',
  feather: 'mask_blur',
  model: 'override_settings.sd_model_checkpoint'
}

const DEFAULT_STRENGTH = 0.75

/**
 * A request of webui as a body of `/v1/images/generations` or, with an image, of `/v1/images/edits`. What was left out has the
 * model's own value, because webui's defaults are for other models.
 */
export function translated(body: WebuiBody, model: ModelFacts): object {
  const { width, height } = model.defaults
  const given = typeof body.width === 'number' || typeof body.height === 'number'
  const shared = {
    model: model.name,
    prompt: body.prompt ?? '',
    negative_prompt: body.negative_prompt,
    n: (body.batch_size ?? 1) * (body.n_iter ?? 1),
    size: given ? `${body.width ?? width}x${body.height ?? height}` : undefined,
    seed: body.seed,
    prior_steps: body.steps,
    prior_sampler: samplerNamed(body),
    decoder_sampler: samplerNamed(body),
    prior_guidance_scale: body.cfg_scale
  }
  const [image] = body.init_images ?? []
  if (image === undefined) return shared
  const withMask = body.mask !== undefined && body.mask !== null && body.mask !== ''
  if (withMask && body.inpainting_fill === 0)
    throw invalidField('inpainting_fill', 'invalid_value', 'Expected 1 for inpainting_fill: the image itself is what is changed')
  return {
    ...shared,
    image,
    strength: body.denoising_strength ?? DEFAULT_STRENGTH,
    fit: body.resize_mode === 1 ? 'cover' : 'fill',
    // Also without a mask: the webui lays transparency on a colour, and does not take it for a mask.
    mask_changes: 'white',
    ...(withMask ? { mask: body.mask, feather: body.mask_blur } : {})
  }
}
