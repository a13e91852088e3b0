import { expect } from 'vitest'
import { DRAWN, KEY, leadsToPicture, PICTURE, served } from './server.js'
import { works, type Calls } from './table.js'

/** Requests as the sources of services write them, which are too large to be run here. Their versions are in table.ts. */

const bearer = { authorization: `Bearer ${KEY}` }
const basic = { authorization: `Basic ${Buffer.from(`user:${KEY}`).toString('base64')}` }

const withPost =
  (body: (post: (path: string, body: object | FormData, headers?: object) => Promise<Reply>) => Promise<void>) => () =>
    served(async ({ url }) =>
      body(async (path, sent, headers = bearer) => {
        const form = sent instanceof FormData
        const reply = await fetch(url + path, {
          method: 'POST',
          body: form ? sent : JSON.stringify(sent),
          headers: { ...headers, ...(form ? {} : { 'content-type': 'application/json' }) }
        })
        const text = await reply.text()
        expect(reply.status, text).toBe(200)
        return JSON.parse(text) as Reply
      })
    )

interface Reply {
  data: { url?: string; b64_json?: string }[]
  images: string[]
  info: string
}

function form(fields: Record<string, string>, file: string, ...more: string[]): FormData {
  const sent = new FormData()
  for (const [name, value] of Object.entries(fields)) sent.append(name, value)
  for (const name of [file, ...more]) sent.append(name, new Blob([new Uint8Array(PICTURE)], { type: 'image/png' }), 'picture.png')
  return sent
}

export const LITELLM: Calls = {
  '`image_generation`': works(
    withPost(async post => {
      const { data } = await post('/v1/images/generations', { model: 'gpt-image-1', prompt: 'a cat', n: 1, size: '256x256' })
      expect(data[0]!.b64_json).toBe(DRAWN)
    })
  ),
  '`image_edit`': works(
    withPost(async post => {
      const { data } = await post('/v1/images/edits', form({ model: 'gpt-image-1', size: '256x256', prompt: 'a dog' }, 'image[]'))
      expect(data[0]!.b64_json).toBe(DRAWN)
    })
  )
}

export const OPEN_WEBUI: Calls = {
  'engine OpenAI: generations': works(
    withPost(async post => {
      const body = { model: 'dall-e-3', prompt: 'a cat', n: 1, size: '512x512', response_format: 'b64_json' }
      expect((await post('/v1/images/generations', body)).data[0]!.b64_json).toBe(DRAWN)
    })
  ),
  'engine OpenAI: edits': works(
    withPost(async post => {
      const fields = { model: 'dall-e-2', prompt: 'a dog', n: '1', size: '512x512', response_format: 'b64_json' }
      for (const name of ['image', 'image[]'])
        expect((await post('/v1/images/edits', form(fields, name))).data[0]!.b64_json).toBe(DRAWN)
    })
  ),
  'engine Automatic1111': works(() =>
    served(async ({ url }) => {
      const options = (await (await fetch(`${url}/sdapi/v1/options`, { headers: basic })).json()) as Record<string, unknown>
      expect(options['sd_model_checkpoint']).toBe('tiny')
      const models = (await (await fetch(`${url}/sdapi/v1/sd-models`, { headers: basic })).json()) as Record<string, string>[]
      expect([models[0]!['title'], models[0]!['model_name']]).toEqual(['tiny', 'tiny'])
      const json = { ...basic, 'content-type': 'application/json' }
      const chosen = JSON.stringify({ ...options, sd_model_checkpoint: 'dall-e-2' })
      expect((await fetch(`${url}/sdapi/v1/options`, { method: 'POST', headers: json, body: chosen })).status).toBe(200)
      const body = JSON.stringify({ prompt: 'a cat', batch_size: 1, width: 512, height: 512, steps: 50, negative_prompt: 'blue' })
      const reply = await fetch(`${url}/sdapi/v1/txt2img`, { method: 'POST', headers: json, body })
      const { images, info } = (await reply.json()) as Reply
      expect([images, typeof info]).toEqual([[DRAWN], 'string'])
    })
  )
}

export const LIBRECHAT: Calls = {
  '`image_gen_oai`': works(
    withPost(async post => {
      const body = {
        ...{ model: 'gpt-image-1', prompt: 'a cat', n: 1, background: 'auto', output_format: 'webp', output_compression: 100 },
        ...{ quality: 'high', size: '1024x1536' }
      }
      expect((await post('/v1/images/generations', body)).data[0]!.b64_json).toBe(DRAWN)
    })
  ),
  '`image_edit_oai`': works(
    withPost(async post => {
      const fields = { model: 'gpt-image-1', prompt: 'a dog', quality: 'auto', size: 'auto' }
      expect((await post('/v1/images/edits', form(fields, 'image[]'))).data[0]!.b64_json).toBe(DRAWN)
    })
  ),
  'DALL·E tool': works(
    withPost(async post => {
      const { data } = await post('/v1/images/generations', {
        ...{ model: 'dall-e-3', prompt: 'a cat', n: 1, quality: 'standard', style: 'vivid', size: '1792x1024' }
      })
      expect(await leadsToPicture(data[0]!.url)).toBe(true)
    })
  ),
  'Stable Diffusion tool': works(
    withPost(async post => {
      const { images, info } = await post(
        '/sdapi/v1/txt2img',
        { prompt: 'a cat', negative_prompt: 'blue', cfg_scale: 4.5, steps: 22, width: 1024, height: 1024 },
        basic
      )
      const { seed, infotexts } = JSON.parse(info) as { seed: number; infotexts: string[] }
      expect([images[0], seed, infotexts[0]!.split('\n').pop()]).toEqual([DRAWN, 100, expect.stringContaining('Seed: 100')])
    })
  )
}

export const SILLYTAVERN: Calls = {
  'the lists at its start': works(() =>
    served(async ({ url }) => {
      const names = ['options', 'upscalers', 'latent-upscale-modes', 'sd-vae', 'samplers', 'schedulers', 'sd-models', 'progress']
      for (const name of names) {
        const reply = await fetch(`${url}/sdapi/v1/${name}`, { headers: basic })
        expect([name, reply.status]).toEqual([name, 200])
      }
    })
  ),
  'a generation': works(
    withPost(async post => {
      const body = {
        ...{ url: 'http://127.0.0.1:7860', auth: `user:${KEY}`, prompt: 'a cat', negative_prompt: 'blue' },
        ...{ sampler_name: 'DDPM Wuerstchen', scheduler: 'automatic', steps: 20, cfg_scale: 7, width: 512, height: 512 },
        ...{ restore_faces: false, enable_hr: false, hr_upscaler: 'Latent', hr_scale: 1, hr_additional_modules: [] },
        ...{ denoising_strength: 0.7, hr_second_pass_steps: 0, clip_skip: 1, save_images: true, send_images: true },
        ...{ override_settings: { CLIP_stop_at_last_layers: 1 }, override_settings_restore_afterwards: true },
        ...{ do_not_save_grid: false, do_not_save_samples: false }
      }
      expect((await post('/sdapi/v1/txt2img', body, basic)).images).toEqual([DRAWN])
    })
  )
}
