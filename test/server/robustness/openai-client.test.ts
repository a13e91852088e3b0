import OpenAI, { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError, toFile } from 'openai'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { until } from '../fake-backend.js'
import { withListening, type Listening } from './support/listening.js'

/** OpenAI's own client, as it comes; all that differs from their service is its base URL. */
const KEY = 'a-key-for-the-tests'
const QUICK = { prompt: 'a photo of a cat', size: '128x128', seed: 5, prior_steps: 2, decoder_steps: 1 }

/** The types know OpenAI's sizes and fields alone; the client sends whatever it is given. */
const generation = (fields: object = {}) => ({ ...QUICK, ...fields }) as unknown as OpenAI.ImageGenerateParamsNonStreaming

function withClient<T>(body: (client: OpenAI, server: Listening) => Promise<T>, limits = {}): Promise<T> {
  return withListening({ apiKeys: [`tests:${KEY}:admin`], limits }, server =>
    body(new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 }), server)
  )
}

const picture = async (side = 128) =>
  sharp({ create: { width: side, height: side, channels: 3, background: '#5a8f3c' } })
    .png()
    .toBuffer()

async function upload(bytes: Buffer, name = 'picture.png') {
  return toFile(bytes, name, { type: 'image/png' })
}

async function formatOf(b64: string | undefined) {
  const { format, width, height } = await sharp(Buffer.from(b64!, 'base64')).metadata()
  return { format, width, height }
}

test('generates: several pictures, sizes, formats, and the same one for the same seed', () =>
  withClient(async client => {
    const { data, created } = await client.images.generate(generation({ n: 2, response_format: 'b64_json', user: 'somebody' }))
    expect(data).toHaveLength(2)
    expect(created).toBeGreaterThan(1.6e9)
    expect(await formatOf(data![0]!.b64_json)).toEqual({ format: 'png', width: 128, height: 128 })
    expect(data![0]!.b64_json).not.toBe(data![1]!.b64_json)
    const again = await client.images.generate(generation())
    const pixels = async (b64: string | undefined) => sharp(Buffer.from(b64!, 'base64')).raw().toBuffer()
    const [one, other] = [await pixels(data![0]!.b64_json), await pixels(again.data![0]!.b64_json)]
    // Kernels may add in another order when a batch has another size.
    expect(one.every((value, index) => Math.abs(value - other[index]!) <= 1)).toBe(true)
    const wide = await client.images.generate(generation({ size: '256x128', output_format: 'webp', output_compression: 50 }))
    expect(await formatOf(wide.data![0]!.b64_json)).toEqual({ format: 'webp', width: 256, height: 128 })
    expect(wide).toMatchObject({ output_format: 'webp', size: '256x128', background: 'opaque' })
    const jpeg = await client.images.generate(
      generation({ size: 'auto', output_format: 'jpeg', quality: 'auto', background: 'auto', model: 'small' })
    )
    expect(await formatOf(jpeg.data![0]!.b64_json)).toEqual({ format: 'jpeg', width: 128, height: 128 })
  }))

test('edits with a mask sent as a form, and makes variations', () =>
  withClient(async client => {
    const image = await upload(await picture())
    // Transparent on the left, where OpenAI's API changes the picture.
    const hole = Buffer.from(
      new Uint8Array(128 * 128 * 4).map((_, index) => (index % 4 === 3 && (index / 4) % 128 < 64 ? 0 : 255))
    )
    const mask = await upload(
      await sharp(hole, { raw: { width: 128, height: 128, channels: 4 } })
        .png()
        .toBuffer(),
      'mask.png'
    )
    const edited = await client.images.edit({
      image,
      mask,
      ...generation({ n: 2, strength: 0.5 })
    } as OpenAI.ImageEditParamsNonStreaming)
    expect(edited.data).toHaveLength(2)
    expect(await formatOf(edited.data![0]!.b64_json)).toEqual({ format: 'png', width: 128, height: 128 })
    // A list of pictures, which the client names image[].
    const listed = await client.images.edit({ image: [image], ...generation() } as unknown as OpenAI.ImageEditParamsNonStreaming)
    expect(listed.data).toHaveLength(1)
    const { prompt: _, ...rest } = QUICK
    const varied = await client.images.createVariation({
      image,
      n: 2,
      response_format: 'b64_json',
      ...rest
    } as unknown as OpenAI.ImageCreateVariationParams)
    expect(varied.data).toHaveLength(2)
  }))

test('streams previews and pictures', () =>
  withClient(async client => {
    const stream = await client.images.generate({
      ...generation({ n: 2, prior_steps: 6 }),
      stream: true,
      partial_images: 2
    } as unknown as OpenAI.ImageGenerateParamsStreaming)
    const types: string[] = []
    for await (const event of stream) {
      types.push(event.type)
      expect(await formatOf(event.b64_json)).toMatchObject({ format: 'png' })
    }
    expect(types.filter(type => type === 'image_generation.completed')).toHaveLength(2)
    expect(types.at(-1)).toBe('image_generation.completed')
    const edit = await client.images.edit({
      image: await upload(await picture()),
      ...generation(),
      stream: true,
      partial_images: 1
    } as unknown as OpenAI.ImageEditParamsStreaming)
    const edits: string[] = []
    for await (const event of edit) edits.push(event.type)
    expect(edits.at(-1)).toBe('image_edit.completed')
  }))

test('lists models', () =>
  withClient(async client => {
    const ids: string[] = []
    for await (const { id } of client.models.list()) ids.push(id)
    expect(ids).toEqual(['small'])
  }))

test("errors become the client's own classes, and name the field", () =>
  withClient(async (client, { url }) => {
    const refused = async (promise: Promise<unknown>) =>
      promise.then(
        () => {
          throw new Error('it was not refused')
        },
        (error: unknown) => error
      )
    const badSize = await refused(client.images.generate(generation({ size: '100x100' })))
    expect(badSize).toBeInstanceOf(BadRequestError)
    expect(badSize).toMatchObject({
      status: 400,
      param: 'size',
      code: 'invalid_value',
      type: 'invalid_request_error',
      requestID: expect.any(String)
    })
    expect(await refused(client.images.generate(generation({ steps: 3 })))).toMatchObject({
      status: 400,
      param: 'steps',
      code: 'unknown_parameter'
    })
    expect(await refused(client.images.generate(generation({ background: 'transparent' })))).toMatchObject({
      status: 400,
      param: 'background'
    })
    expect(await refused(client.images.generate(generation({ model: 'dall-e-3' })))).toBeInstanceOf(NotFoundError)
    expect(await refused(client.images.edit({ image: await upload(Buffer.from('no picture')), prompt: 'x' }))).toMatchObject({
      status: 400,
      param: 'image'
    })
    const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'a-key-of-nobody-at-all', maxRetries: 0 })
    expect(await refused(stranger.images.generate(generation()))).toBeInstanceOf(AuthenticationError)
  }))

test('too many requests are a RateLimitError that says when to come back', () =>
  withClient(
    async client => {
      await client.images.generate(generation())
      const error = await client.images.generate(generation()).then(
        () => undefined,
        (reason: unknown) => reason
      )
      expect(error).toBeInstanceOf(RateLimitError)
      expect(Number((error as RateLimitError).headers.get('retry-after'))).toBeGreaterThan(0)
    },
    { requestsPerMinute: 1 }
  ))

test('an abort in the client ends the work in the server', () =>
  withClient(async (client, { app }) => {
    const { jobs } = app.wuerstchen
    const controller = new AbortController()
    // Long enough that it cannot be done before it is stopped.
    const reply = client.images
      .generate(generation({ n: 4, size: '512x512', prior_steps: 100, decoder_steps: 100 }), { signal: controller.signal })
      .catch((error: unknown) => error)
    await until(async () => (await jobs.stats()).running === 1)
    controller.abort()
    expect(await reply).toBeInstanceOf(APIUserAbortError)
    await until(async () => (await jobs.stats()).running === 0)
    const stream = await client.images.generate({
      ...generation({ n: 4, size: '512x512', prior_steps: 100, decoder_steps: 100 }),
      stream: true
    } as unknown as OpenAI.ImageGenerateParamsStreaming)
    await until(async () => (await jobs.stats()).running === 1)
    stream.controller.abort()
    await until(async () => (await jobs.stats()).running === 0)
    const metrics = await app.inject({ url: '/metrics', headers: { authorization: `Bearer ${KEY}` } })
    expect(metrics.body).toContain('wuerstchen_jobs_total{model="small",kind="generate",state="cancelled"} 2')
  }))
