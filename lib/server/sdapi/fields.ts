import { z } from 'zod'
import { WEBUI_SAMPLERS } from '../../internal.js'
import { SAMPLERS, type Sampler } from '../../options/sampling.js'

const ALIASES: Readonly<Record<Sampler, string[]>> = { ddpm: ['ddpm'], ddim: [], 'dpm-solver++': ['k_dpmpp_2m', 'dpm-solver++'] }

/** The samplers as webui's texts name them, which both stages then use, and other spellings. */
export const WEBUI_NAMES = SAMPLERS.map(sampler => ({ sampler, name: WEBUI_SAMPLERS[sampler], aliases: ALIASES[sampler] }))
/** Their schedule is the model's own. */
export const SCHEDULER = { name: 'automatic', label: 'Automatic' } as const

/** webui reads numbers from texts too, and some front ends keep their settings as texts. */
const number = z
  .union([z.number(), z.string().regex(/^-?\d{1,16}(\.\d{1,16})?$/)])
  .transform(Number)
  .nullish()

/** What can be asked for in one way alone; null means left out. */
const only = <const Value extends string | number | boolean>(...values: Value[]) => z.literal(values).nullish()
const empty = z.array(z.unknown()).max(0).nullish()
const none = z.strictObject({}).nullish()
/** What has no effect on the images, whatever it says. */
const anything = z.unknown().optional()

/** In whatever case it is written; refusals give the names as they are listed. */
const name = (...names: string[]) =>
  z
    .string()
    .transform(text => names.find(each => each.toLowerCase() === text.toLowerCase()) ?? text)
    .pipe(z.enum([...names, '']))
    .nullish()
const sampler = name(...WEBUI_NAMES.flatMap(each => [each.name, ...each.aliases])).describe('A name in /sdapi/v1/samplers.')

/** Fields of webui that both calls have. What they mean is in its own documentation. */
function common(models: readonly string[] | undefined, prompt: z.ZodString, init: 'text' | 'image') {
  return {
    prompt: prompt.nullish(),
    negative_prompt: prompt.nullish(),
    seed: number.describe('-1, and left out: drawn.'),
    steps: number.describe("Steps of the prior; those of the decoder are the model's."),
    cfg_scale: number.describe('The guidance scale of the prior.'),
    width: number,
    height: number,
    batch_size: number,
    n_iter: number.describe('batch_size × n_iter images are made.'),
    sampler_name: sampler,
    sampler_index: sampler,
    scheduler: name(SCHEDULER.name),
    override_settings: z
      .strictObject({
        sd_model_checkpoint: (models === undefined ? z.string().max(200) : z.enum(['', ...models])).nullish(),
        sd_vae: only('', 'None', 'Automatic'),
        CLIP_stop_at_last_layers: only(1),
        samples_format: only('png'),
        forge_additional_modules: empty
      })
      .nullish(),
    clip_skip: only(1),
    styles: empty,
    subseed_strength: only(0),
    seed_resize_from_h: only(-1, 0),
    seed_resize_from_w: only(-1, 0),
    restore_faces: only(false),
    tiling: only(false),
    eta: only(0, 1),
    s_min_uncond: only(0),
    s_churn: only(0),
    s_tmin: only(0),
    s_tmax: only(0),
    s_noise: only(0, 1),
    refiner_checkpoint: only('', 'None'),
    script_name: only('', 'None'),
    script_args: empty,
    alwayson_scripts: none,
    send_images: only(true),
    infotext: only(''),
    ...Object.fromEntries(
      [
        'subseed',
        'refiner_switch_at',
        'override_settings_restore_afterwards',
        'disable_extra_networks',
        'comments',
        'save_images',
        'do_not_save_samples',
        'do_not_save_grid',
        'force_task_id',
        // Front ends send the whole of their own request, with the address and the password of this server. Neither is looked at.
        'url',
        'auth',
        ...HIRES,
        ...(init === 'text' ? ['denoising_strength'] : [])
      ].map(each => [each, anything])
    )
  }
}

/** They say how an image is enlarged, which `enable_hr` asks for. */
const HIRES = [
  'hr_scale',
  'hr_upscaler',
  'hr_second_pass_steps',
  'hr_resize_x',
  'hr_resize_y',
  'hr_checkpoint_name',
  'hr_sampler_name',
  'hr_scheduler',
  'hr_prompt',
  'hr_negative_prompt',
  'hr_cfg',
  'hr_distilled_cfg',
  'hr_additional_modules',
  'firstphase_width',
  'firstphase_height',
  'firstpass_image'
]

/**
 * @param models their names; undefined where they come and go
 * @param prompt how long a text may be
 */
export function webuiFields(models: readonly string[] | undefined, prompt: z.ZodString) {
  // What is longer than any text has been decoded by now: it is a file's bytes.
  const image = z
    .unknown()
    .refine(value => typeof value === 'string' || Buffer.isBuffer(value), { params: { expected: 'a file in base64' } })
    .meta({ type: 'string', contentEncoding: 'base64' })
  const hires = { enable_hr: only(false) }
  return {
    txt2img: z.strictObject({ ...common(models, prompt, 'text'), ...hires }).meta({ description: 'Images from a prompt.' }),
    img2img: z
      .strictObject({
        ...common(models, prompt, 'image'),
        ...hires,
        init_images: z.array(image).length(1).describe('One image, in base64.'),
        denoising_strength: number.describe('0 keeps the image, 1 nothing of it; 0.75 where it is left out.'),
        mask: image.nullish().describe("What is white in it changes. Of the image's own size."),
        mask_blur: number.describe('Pixels within the mask over which the new image fades in.'),
        resize_mode: only(0, 1).describe('0 stretches the image, 1 cuts off what does not fit.'),
        inpainting_fill: only(0, 1).describe('With a mask 1: the image itself is what is changed.'),
        inpaint_full_res: z.literal([false, 0]).nullish(),
        inpaint_full_res_padding: anything,
        inpainting_mask_invert: only(0),
        image_cfg_scale: anything,
        initial_noise_multiplier: only(0, 1),
        include_init_images: anything,
        mask_blur_x: anything,
        mask_blur_y: anything,
        mask_round: anything,
        latent_mask: only('')
      })
      .meta({ description: 'An image changed to what a prompt says.' })
  }
}

export type WebuiBody = z.infer<ReturnType<typeof webuiFields>['txt2img']> &
  Partial<z.infer<ReturnType<typeof webuiFields>['img2img']>>

/** The sampler that a request of webui names; none where it leaves it to the model. */
export function samplerNamed({ sampler_name: name, sampler_index: index }: WebuiBody): Sampler | undefined {
  const wanted = name || index
  return WEBUI_NAMES.find(each => each.name === wanted || each.aliases.includes(wanted ?? ''))?.sampler
}
