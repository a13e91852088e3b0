import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { Work } from '../../../lib/server/jobs/work.js'
import { WEBUI_ERROR, WEBUI_IMAGES, WEBUI_PROGRESS } from '../../../lib/server/sdapi/replies.js'
import { heartPicture, tinyModel, until, withFakeServer, type FakeBackend } from '../fake-backend.js'
import type { FastifyInstance } from 'fastify'

const KEYS = { apiKeys: ['ann:key-0123456789abcdef', 'bob:key-1123456789abcdef'] }
const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}` })
const ANN = basic('key-0123456789abcdef')
const BOB = basic('key-1123456789abcdef')

const post = (app: FastifyInstance, name: string, body: object, headers = {}) =>
  app.inject({ method: 'POST', url: `/sdapi/v1/${name}`, payload: body, headers })

async function workOf(app: FastifyInstance, backend: FakeBackend, name: string, body: object): Promise<Work> {
  backend.automatic = true
  const reply = await post(app, name, body)
  expect(reply.statusCode, reply.body).toBe(200)
  return backend.runs.at(-1)!.work
}

describe('txt2img', () => {
  test('is a generation, whose fields have other names', () =>
    withFakeServer({}, async (app, backend) => {
      const work = await workOf(app, backend, 'txt2img', {
        prompt: 'a red heart',
        negative_prompt: 'blue',
        seed: 7,
        steps: 22,
        cfg_scale: '4.5',
        width: 1024,
        height: 512,
        batch_size: 2,
        n_iter: 2,
        sampler_name: 'DDPM Wuerstchen',
        scheduler: 'Automatic',
        override_settings: { sd_model_checkpoint: 'tiny' }
      })
      expect(work).toMatchObject({
        kind: 'generate',
        model: 'tiny',
        images: 4,
        file: { format: 'png' },
        options: {
          prompt: 'a red heart',
          negativePrompt: 'blue',
          seed: 7,
          priorSteps: 22,
          priorGuidanceScale: 4.5,
          width: 1024,
          height: 512,
          numImagesPerPrompt: 4
        }
      })
    }))

  test.each([
    ['DPM++ 2M', 'dpm-solver++'],
    ['dpm++ 2m', 'dpm-solver++'],
    ['k_dpmpp_2m', 'dpm-solver++'],
    ['DDIM', 'ddim'],
    ['ddpm', 'ddpm']
  ])('samples both stages with what webui calls %s', (name, sampler) =>
    withFakeServer({}, async (app, backend) => {
      for (const fields of [{ sampler_name: name }, { sampler_index: name }, { sampler_name: '', sampler_index: name }]) {
        const work = await workOf(app, backend, 'txt2img', { prompt: 'x', ...fields })
        expect(work).toMatchObject({ options: { priorSampler: sampler, decoderSampler: sampler } })
      }
    })
  )

  test("leaves to the model what was left out, and answers in webui's form", () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const reply = await post(app, 'txt2img', { prompt: 'x', seed: -1, batch_size: 2, height: 512 })
      const { images, info, parameters } = WEBUI_IMAGES.parse(reply.json())
      expect(images.map(each => Buffer.from(each, 'base64').toString())).toEqual(['picture 0', 'picture 1'])
      expect(parameters).toMatchObject({ prompt: 'x', batch_size: 2 })
      expect(JSON.parse(info)).toMatchObject({
        seed: 100,
        all_seeds: [100, 101],
        all_prompts: ['x', 'x'],
        sd_model_name: 'tiny',
        steps: 29,
        infotexts: [expect.stringContaining('Seed: 100, Size: 128x128'), expect.stringContaining('Seed: 101')]
      })
      const { options } = backend.runs[0]!.work as Extract<Work, { kind: 'generate' }>
      expect(options).toMatchObject({ width: 256, height: 512, seed: expect.any(Number) })
      expect(options).not.toHaveProperty('priorSteps')
    }))

  test.each<[object, number, string]>([
    [{ enable_hr: true }, 400, 'Expected false for enable_hr but received true of type boolean'],
    [{ restore_faces: true }, 400, 'Expected false for restore_faces but received true of type boolean'],
    [{ tiling: true }, 400, 'Expected false for tiling but received true of type boolean'],
    [{ alwayson_scripts: { ADetailer: { args: [] } } }, 400, 'Unknown parameter: "alwayson_scripts.ADetailer"'],
    [{ styles: ['oil'] }, 400, 'Expected a list of at most 0 entries for styles but received 1 entry of type array'],
    [
      { sampler_name: 'Euler a' },
      400,
      'Expected one of DDPM Wuerstchen, ddpm, DDIM, DPM++ 2M, k_dpmpp_2m, dpm-solver++, "" for sampler_name but received 7 characters of type string'
    ],
    [{ steps: 200 }, 400, 'Expected a number of at most 100 for steps but received 200 of type number'],
    [{ steps: 'many' }, 400, 'for steps but received 4 characters of type string'],
    [{ batch_size: 4, n_iter: 4 }, 400, 'Expected a number of at most 10 for batch_size but received 16 of type number'],
    [{ width: 500, height: 512 }, 400, 'for size but received 500x512. The nearest: 384x512, 512x512'],
    [{ override_settings: { sd_model_checkpoint: 'sdxl' } }, 400, 'Expected one of '],
    [{ override_settings: { CLIP_stop_at_last_layers: 2 } }, 400, 'Expected 1 for override_settings.CLIP_stop_at_last_layers'],
    [{ unheard_of: 1 }, 400, 'Unknown parameter: "unheard_of"']
  ])('%j is refused by name', (fields, status, message) =>
    withFakeServer({}, async (app, { runs }) => {
      const reply = await post(app, 'txt2img', { prompt: 'x', ...fields })
      expect(reply.statusCode).toBe(status)
      expect(WEBUI_ERROR.parse(reply.json()).detail).toContain(message)
      expect(runs).toHaveLength(0)
    })
  )
})

describe('img2img', () => {
  test('is an edit; with a mask, what is white changes', () =>
    withFakeServer({}, async (app, backend) => {
      const image = (await heartPicture()).toString('base64')
      const plain = await workOf(app, backend, 'img2img', {
        prompt: 'x',
        init_images: [image],
        inpainting_fill: 0,
        resize_mode: 1
      })
      expect(plain).toMatchObject({ kind: 'edit', options: { strength: 0.75, fit: 'cover' } })
      expect(plain).not.toHaveProperty('mask')
      // The webui lays a transparent image on a colour.
      expect(plain).not.toHaveProperty('ownMask')
      const masked = await workOf(app, backend, 'img2img', {
        prompt: 'x',
        init_images: [`data:image/png;base64,${image}`],
        mask: image,
        mask_blur: 4,
        inpainting_fill: 1,
        denoising_strength: 0.4
      })
      expect(masked).toMatchObject({ mask: { changes: 'white' }, options: { strength: 0.4, feather: 4, fit: 'fill' } })
    }))

  test('has images of any size: longer strings than texts arrive as bytes', () =>
    withFakeServer({}, async (app, backend) => {
      const noise = sharp(randomBytes(512 * 512 * 3), { raw: { width: 512, height: 512, channels: 3 } })
      const image = await noise.png().toBuffer()
      const text = image.toString('base64')
      const work = await workOf(app, backend, 'img2img', {
        prompt: 'x',
        init_images: [text],
        mask: `data:image/png;base64,${text}`
      })
      expect(work).toMatchObject({ source: image, mask: { changes: 'white' } })
    }))

  test.each<[object, string]>([
    [{}, 'Missing required parameter: init_images'],
    [{ init_images: [7] }, 'Expected a file in base64 for init_images.0 but received 7 of type number'],
    [{ init_images: ['AAAA'], mask: true }, 'Expected a file in base64 for mask but received true of type boolean'],
    [{ init_images: ['!'.repeat(400_000)] }, 'Expected a file, or its base64, for init_images but received a file'],
    [{ init_images: [] }, 'Expected a list of at least 1 entry for init_images'],
    [{ init_images: ['AAAA', 'AAAA'] }, 'Expected a list of at most 1 entry for init_images'],
    [{ init_images: ['no image'] }, 'Expected a file, or its base64, for init_images but received 8 characters of type string'],
    [{ init_images: ['AAAA'], mask: 'AAAA', inpainting_fill: 0 }, 'Expected 1 for inpainting_fill'],
    [{ init_images: ['AAAA'], inpainting_mask_invert: 1 }, 'Expected 0 for inpainting_mask_invert'],
    [{ init_images: ['AAAA'], denoising_strength: 2 }, 'Expected a number of at most 1 for denoising_strength']
  ])('of %j is refused: %s', (fields, message) =>
    withFakeServer({}, async app => {
      const reply = await post(app, 'img2img', { prompt: 'x', ...fields })
      expect(reply.statusCode).toBe(400)
      expect(WEBUI_ERROR.parse(reply.json()).detail).toContain(message)
    })
  )
})

describe('what front ends ask for beside images', () => {
  test('the lists are there, and name one sampler, one schedule and every model', () =>
    withFakeServer({ aliases: { sdxl: 'tiny' } }, async app => {
      const get = async (name: string): Promise<unknown> => {
        const reply = await app.inject(`/sdapi/v1/${name}`)
        expect([name, reply.statusCode]).toEqual([name, 200])
        return reply.json()
      }
      const named = async (name: string) => ((await get(name)) as { name: string }[]).map(each => each.name)
      expect(await named('samplers')).toEqual(['DDPM Wuerstchen', 'DDIM', 'DPM++ 2M'])
      expect(await named('schedulers')).toEqual(['automatic'])
      expect(await named('upscalers')).toEqual(['None'])
      expect(((await get('sd-models')) as { title: string }[]).map(({ title }) => title)).toEqual(['tiny', 'sdxl'])
      for (const name of ['latent-upscale-modes', 'sd-vae', 'loras', 'embeddings', 'cmd-flags', 'memory', 'scripts'])
        await get(name)
    }))

  test('options are sent back whole, and choose the model of this key alone', () =>
    withFakeServer({ models: { one: tinyModel, two: tinyModel }, ...KEYS }, async (app, backend) => {
      backend.automatic = true
      const options = async (headers: object) =>
        (await app.inject({ url: '/sdapi/v1/options', headers: { ...headers } })).json() as { sd_model_checkpoint: string }
      const before = await options(ANN)
      expect(before.sd_model_checkpoint).toBe('one')
      const reply = await post(app, 'options', { ...before, sd_model_checkpoint: 'two' }, ANN)
      expect([reply.statusCode, reply.body]).toEqual([200, 'null'])
      expect([(await options(ANN)).sd_model_checkpoint, (await options(BOB)).sd_model_checkpoint]).toEqual(['two', 'one'])
      for (const headers of [ANN, BOB]) await post(app, 'txt2img', { prompt: 'x' }, headers)
      expect(backend.runs.map(({ model }) => model)).toEqual(['two', 'one'])
      expect((await post(app, 'options', { sd_model_checkpoint: 'three' }, ANN)).statusCode).toBe(400)
    }))

  test('progress is that of the own work, which an interrupt ends', () =>
    withFakeServer(KEYS, async (app, { runs }) => {
      const progress = async (headers: object) =>
        WEBUI_PROGRESS.parse((await app.inject({ url: '/sdapi/v1/progress', headers: { ...headers } })).json())
      expect(await progress(ANN)).toMatchObject({ progress: 0, state: { job_count: 0 } })
      const mine = post(app, 'txt2img', { prompt: 'x' }, ANN)
      const other = post(app, 'txt2img', { prompt: 'x' }, BOB)
      await until(() => runs.length === 2)
      runs[0]!.emit({ type: 'step', image: 0, stage: 'decoder', step: 6, steps: 12 })
      await until(async () => (await progress(ANN)).progress === 0.75)
      expect(await progress(ANN)).toMatchObject({ state: { job_count: 1, sampling_step: 6, sampling_steps: 12 } })
      expect((await progress(BOB)).progress).toBe(0)
      const headers = { ...ANN, 'content-type': 'application/json' }
      expect((await app.inject({ method: 'POST', url: '/sdapi/v1/interrupt', headers })).json()).toEqual({})
      const ended = await mine
      expect([ended.statusCode, ended.json().error]).toEqual([409, 'job_cancelled'])
      expect(await progress(ANN)).toMatchObject({ progress: 0, state: { job_count: 0 } })
      runs[1]!.finish()
      expect((await other).statusCode).toBe(200)
    }))

  test('the key may be the password of Basic authentication here, and nowhere else', () =>
    withFakeServer(KEYS, async app => {
      const status = async (url: string, headers: object) => (await app.inject({ url, headers: { ...headers } })).statusCode
      expect(await status('/sdapi/v1/options', ANN)).toBe(200)
      expect(await status('/sdapi/v1/options', { authorization: 'Bearer key-0123456789abcdef' })).toBe(200)
      expect(await status('/v1/models', ANN)).toBe(401)
      for (const headers of [
        {},
        basic(''),
        basic('key-9123456789abcdef'),
        { authorization: 'Basic ' },
        { authorization: 'Basic %%' }
      ])
        expect(await status('/sdapi/v1/options', headers)).toBe(401)
      const refused = await app.inject('/sdapi/v1/options')
      expect(WEBUI_ERROR.parse(refused.json()).error).toBe('invalid_api_key')
      // A browser that is asked for a password sends it again for pages of others.
      expect(refused.headers['www-authenticate']).toBe('Bearer')
    }))
})

test('a whole request of a front end is taken where nothing in it changes the image', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const reply = await post(app, 'txt2img', {
      prompt: 'x',
      ...Object.fromEntries(['styles', 'script_args', 'hr_additional_modules'].map(name => [name, []] as [string, unknown])),
      ...{ alwayson_scripts: {}, enable_hr: false, restore_faces: false, tiling: false, subseed: -1, subseed_strength: 0 },
      ...{ seed_resize_from_h: -1, seed_resize_from_w: -1, eta: null, s_churn: 0, s_tmin: 0, s_noise: 1, script_name: null },
      ...{ hr_scale: 2, hr_upscaler: 'Latent', hr_second_pass_steps: 0, denoising_strength: 0.7, save_images: true }
    })
    expect(reply.statusCode, reply.body).toBe(200)
  }))
