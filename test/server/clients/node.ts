import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import OpenAI, { toFile } from 'openai'
import { expect } from 'vitest'
import { npmClients } from '../../../scripts/setup/clients.mjs'
import { DRAWN, KEY, leadsToPicture, PICTURE, served } from './server.js'
import { works, type Calls } from './table.js'

// The packages are not there when this file is compiled, so of their types is said what is used here.
const load = async <T>(name: string): Promise<T> => {
  const path = createRequire(join(npmClients, 'package.json')).resolve(name)
  return (await import(pathToFileURL(path).href)) as T
}

const withOpenai = (body: (client: OpenAI, url: string) => Promise<void>) => () =>
  served(async ({ url }) => body(new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 }), url))

const upload = (name: string) => toFile(PICTURE, name, { type: 'image/png' })

export const OPENAI: Calls = {
  '`images.generate`, all fields of gpt-image-1': works(
    withOpenai(async client => {
      const reply = await client.images.generate({
        ...{ model: 'gpt-image-1', prompt: 'a cat', n: 2, size: '1536x1024', quality: 'high', moderation: 'low', user: 'me' },
        ...{ background: 'opaque', output_format: 'webp', output_compression: 80 }
      })
      expect(reply.data!.map(({ b64_json }) => b64_json)[0]).toBe(DRAWN)
      expect([reply.data!.length, reply.usage!.total_tokens]).toEqual([2, 0])
      expect(reply).toMatchObject({ ignored: ['moderation', 'user'], quality: 'high' })
    })
  ),
  '`images.generate`, dall-e-3 with `url`': works(
    withOpenai(async client => {
      const { data } = await client.images.generate({
        ...{ model: 'dall-e-3', prompt: 'a cat', size: '1792x1024', quality: 'hd', style: 'vivid', response_format: 'url' }
      })
      expect(await leadsToPicture(data![0]!.url)).toBe(true)
    })
  ),
  '`images.generate` with `stream`': works(
    withOpenai(async client => {
      const stream = await client.images.generate({ model: 'gpt-image-1', prompt: 'a cat', stream: true, partial_images: 2 })
      const types: string[] = []
      for await (const event of stream) {
        types.push(event.type)
        if (event.type === 'image_generation.completed') expect(event.usage.input_tokens_details.image_tokens).toBe(0)
      }
      expect(types).toEqual(['image_generation.completed'])
    })
  ),
  '`images.edit` with a mask': works(
    withOpenai(async client => {
      const image = await upload('image.png')
      const { data } = await client.images.edit({
        ...{ model: 'gpt-image-1', image: [image], mask: await upload('mask.png'), prompt: 'a dog', input_fidelity: 'high' }
      })
      expect(data![0]!.b64_json).toBe(DRAWN)
    })
  ),
  '`images.edit` with two images': {
    result: 'refused by name: one file a request',
    run: withOpenai(async client => {
      const images = [await upload('one.png'), await upload('two.png')]
      await expect(client.images.edit({ image: images, prompt: 'a dog' })).rejects.toMatchObject({ status: 400, param: 'image' })
    })
  },
  '`images.generate` with `background: "transparent"`': {
    result: 'refused by name',
    run: withOpenai(async client => {
      const refused = client.images.generate({ prompt: 'a dog', background: 'transparent' })
      await expect(refused).rejects.toMatchObject({ status: 400, param: 'background' })
    })
  },
  '`images.createVariation`': works(
    withOpenai(async client => {
      const { data } = await client.images.createVariation({ model: 'dall-e-2', image: await upload('image.png') })
      expect(await leadsToPicture(data![0]!.url)).toBe(true)
    })
  ),
  '`models.list`, `models.retrieve`': works(
    withOpenai(async client => {
      const ids: string[] = []
      for await (const { id } of client.models.list()) ids.push(id)
      expect(ids).toEqual(['tiny', 'dall-e-2', 'dall-e-3', 'gpt-image-1'])
      expect((await client.models.retrieve('gpt-image-1')).id).toBe('gpt-image-1')
      await expect(client.models.retrieve('gpt-image-9')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
    })
  ),
  '`delete` with its content type': works(
    withOpenai(async client => {
      const job = await client.post<{ id: string }>('/jobs', {
        body: { endpoint: '/v1/images/generations', body: { prompt: 'x' } }
      })
      expect(await client.delete<object>(`/jobs/${job.id}`, { headers: { 'content-type': 'application/json' } })).toMatchObject({
        id: job.id
      })
    })
  )
}

interface ImageModel {
  modelId: string
}
interface Ai {
  generateImage(options: object): Promise<{ images: { base64: string }[]; warnings: object[] }>
}
type Provider = (options: object) => { image?(id: string): ImageModel; imageModel(id: string): ImageModel }

const withModel = (name: string, create: string, id: string, body: (ai: Ai, model: ImageModel) => Promise<void>) => () =>
  served(async ({ url }) => {
    const provider = (await load<Record<string, Provider>>(name))[create]!({ baseURL: `${url}/v1`, apiKey: KEY, name: 'own' })
    await body(await load<Ai>('ai'), provider.imageModel(id))
  })

const aiCalls = (name: string, create: string, options: string): Calls => ({
  '`generateImage` with `n`, `size`': works(
    withModel(name, create, 'tiny', async ({ generateImage }, model) => {
      const { images } = await generateImage({ model, prompt: 'a cat', n: 2, size: '512x512', maxRetries: 0 })
      expect(images.map(({ base64 }) => base64)).toHaveLength(2)
      expect(images[0]!.base64).toBe(DRAWN)
    })
  ),
  '`generateImage` with `quality`, `style`, `user`': works(
    withModel(name, create, 'dall-e-3', async ({ generateImage }, model) => {
      const { images } = await generateImage({
        ...{ model, prompt: 'a cat', size: '1792x1024', maxRetries: 0 },
        providerOptions: { [options]: { quality: 'hd', style: 'vivid', user: 'me' } }
      })
      expect(images[0]!.base64).toBe(DRAWN)
    })
  ),
  '`generateImage` from an image': works(
    withModel(name, create, 'gpt-image-1', async ({ generateImage }, model) => {
      const { images } = await generateImage({
        ...{ model, prompt: { text: 'a dog', images: [PICTURE] }, maxRetries: 0 }
      })
      expect(images[0]!.base64).toBe(DRAWN)
    })
  )
})

export const AI_SDK = aiCalls('@ai-sdk/openai', 'createOpenAI', 'openai')
export const AI_SDK_COMPATIBLE = aiCalls('@ai-sdk/openai-compatible', 'createOpenAICompatible', 'own')

interface LangChain {
  DallEAPIWrapper: new (options: object) => { invoke(prompt: string): Promise<string> }
}

const withWrapper = (options: object, body: (answer: string) => Promise<void>) => () =>
  served(async ({ url }) => {
    const { DallEAPIWrapper } = await load<LangChain>('@langchain/openai')
    await body(await new DallEAPIWrapper({ baseUrl: `${url}/v1`, apiKey: KEY, ...options }).invoke('a cat'))
  })

export const LANGCHAIN: Calls = {
  '`DallEAPIWrapper`': works(
    withWrapper({}, async url => {
      expect(await leadsToPicture(url)).toBe(true)
    })
  ),
  '`DallEAPIWrapper` with `b64_json`': works(
    withWrapper({ dallEResponseFormat: 'b64_json', model: 'tiny', size: '512x512' }, async image => {
      expect(image).toBe(DRAWN)
    })
  )
}
