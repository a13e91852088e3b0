import { totalmem } from 'node:os'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Context, Endpoint, ImageBody } from '../../api/endpoint.js'
import type { Fields } from '../../api/fields.js'
import { imageEndpoints } from '../../api/images.js'
import { resultOf } from '../../api/statuses.js'
import { Desk } from '../../sdapi/desk.js'
import { SCHEDULER, WEBUI_NAMES, webuiFields, type WebuiBody } from '../../sdapi/fields.js'
import { WEBUI_IMAGES, WEBUI_PROGRESS, webuiError, webuiImages, webuiProgress } from '../../sdapi/replies.js'
import { SPELT, translated } from '../../sdapi/translate.js'
import { sendError } from '../failures.js'
import { submitWork } from '../submit.js'
import { refuseInput } from '../validation.js'

const TAG = 'stable-diffusion-webui'

/** What webui has and this server has not. Front ends ask for these lists when they start. */
const LISTS: readonly [name: string, list: unknown][] = [
  ['samplers', WEBUI_NAMES.map(({ name, aliases }) => ({ name, aliases, options: {} }))],
  ['schedulers', [{ ...SCHEDULER, aliases: null, default_rho: -1, need_inner_model: false }]],
  ['upscalers', [{ name: 'None', model_name: null, model_path: null, model_url: null, scale: 1 }]],
  ['latent-upscale-modes', []],
  ['sd-vae', []],
  ['loras', []],
  ['hypernetworks', []],
  ['face-restorers', []],
  ['prompt-styles', []],
  ['embeddings', { loaded: {}, skipped: {} }],
  ['scripts', { txt2img: [], img2img: [] }],
  ['script-info', []],
  ['extensions', []],
  ['cmd-flags', { api: true, nowebui: true }]
]

/** stable-diffusion-webui's API, translated: many front ends know no other. */
export function addSdapi(app: FastifyInstance, fields: Fields, context: Context): void {
  const { models, jobs } = app.wuerstchen
  const desk = new Desk(jobs)
  const [generations, edits] = imageEndpoints(fields, 'job')
  const { txt2img, img2img } = webuiFields(models.changing ? undefined : models.names, fields.prompt)
  const shared = { auth: 'use', basic: true } as const
  const route = { errorHandler: sendWebuiError }

  addImages('txt2img', 'Images from a prompt', txt2img, generations)
  addImages('img2img', 'An image changed to what a prompt says', img2img, edits)
  for (const [name, list] of LISTS) addGet(name, z.unknown(), () => list)
  addGet('sd-models', z.unknown(), () =>
    models.names.map(name => {
      const { hash } = models.find(name)!
      return { title: name, model_name: name, hash: hash.slice(0, 10), sha256: hash, filename: name, config: null }
    })
  )
  addGet('memory', z.unknown(), () => {
    const [used, total] = [process.memoryUsage.rss(), totalmem()]
    return { ram: { free: total - used, used, total }, cuda: { error: 'unavailable' } }
  })
  addGet('progress', WEBUI_PROGRESS, async ({ caller }) => webuiProgress(await desk.working(caller!.name)))
  addGet('options', z.unknown(), ({ caller }) => {
    const { name, hash } = context.model(desk.modelOf(caller!.name))
    return {
      sd_model_checkpoint: desk.modelOf(caller!.name) ?? name,
      sd_checkpoint_hash: hash,
      sd_vae: 'None',
      CLIP_stop_at_last_layers: 1,
      samples_format: 'png'
    }
  })
  // Front ends send back all options that they were given.
  const OPTIONS = z.strictObject({
    sd_model_checkpoint: (models.changing ? z.string().max(200) : z.enum(models.names)).nullish(),
    sd_checkpoint_hash: z.string().nullish(),
    sd_vae: z.enum(['', 'None', 'Automatic']).nullish(),
    CLIP_stop_at_last_layers: z.literal(1).nullish(),
    samples_format: z.literal('png').nullish()
  })
  app.post(
    '/sdapi/v1/options',
    {
      ...route,
      schema: { body: OPTIONS },
      config: {
        ...shared,
        operation: {
          id: 'setWebuiOptions',
          summary: 'The model of requests that name none, for this key',
          tag: TAG,
          errorForm: 'WebuiError',
          body: { schema: OPTIONS },
          replies: { 200: { description: 'It is chosen.', content: { 'application/json': z.null() } } },
          errors: [400, 404]
        }
      }
    },
    async (request, reply) => {
      const { sd_model_checkpoint: model } = request.body as z.infer<typeof OPTIONS>
      if (model !== undefined && model !== null) {
        context.model(model)
        desk.choose(request.caller!.name, model)
      }
      return reply.type('application/json').send('null')
    }
  )
  app.post(
    '/sdapi/v1/interrupt',
    {
      ...route,
      config: {
        ...shared,
        operation: {
          id: 'interruptWebui',
          summary: "Cancel this key's requests of this API",
          tag: TAG,
          errorForm: 'WebuiError',
          replies: { 200: { description: 'They are over.', content: { 'application/json': z.strictObject({}) } } }
        }
      }
    },
    async request => {
      await desk.interrupt(request.caller!.name)
      return {}
    }
  )

  function addGet(name: string, schema: z.ZodType, answer: (request: FastifyRequest) => unknown): void {
    app.get(
      `/sdapi/v1/${name}`,
      {
        ...route,
        config: {
          ...shared,
          operation: {
            id: `webui-${name}`,
            summary: `What stable-diffusion-webui says of ${name.replaceAll('-', ' ')}`,
            tag: TAG,
            errorForm: 'WebuiError',
            replies: { 200: { description: 'In its own form.', content: { 'application/json': schema } } }
          }
        }
      },
      async request => answer(request)
    )
  }

  function addImages(name: string, summary: string, schema: z.ZodType, endpoint: Endpoint<ImageBody>): void {
    app.post(
      `/sdapi/v1/${name}`,
      {
        ...route,
        schema: { body: schema },
        config: {
          ...shared,
          work: true,
          operation: {
            id: name,
            summary,
            tag: TAG,
            errorForm: 'WebuiError',
            body: { schema },
            replies: { 200: { description: 'The images.', content: { 'application/json': WEBUI_IMAGES } } },
            errors: [400, 404, 409, 413, 415, 422, 429, 503, 504]
          }
        }
      },
      async (request, reply) => {
        const body = request.body as WebuiBody
        const owner = request.caller!.name
        const model = context.model(body.override_settings?.sd_model_checkpoint || desk.modelOf(owner))
        const checked = endpoint.schema.safeParse(translated(body, model), { reportInput: true })
        if (!checked.success) throw refuseInput(checked.error, SPELT)
        const work = await endpoint.toWork(checked.data, context)
        const submitted = await submitWork(app.wuerstchen, request, reply, { body, terms: {}, work })
        desk.follow(owner, submitted)
        const result = resultOf(await submitted.outcome())
        if (result.kind !== 'images') throw new Error('Images were asked for, and embeddings came')
        return webuiImages(body, result, model)
      }
    )
  }
}

/** In webui's own form; the rest is as everywhere. */
function sendWebuiError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendError(error, request, reply, webuiError)
}
