import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, Pipeline, readParameters } from '../../lib/index.js'
import { EMBEDDINGS_REPLY, IMAGES_REPLY } from '../../lib/server/api/replies.js'
import { createServer } from '../../lib/server/index.js'
import { form, heartPicture, json, tinyModel, until } from './fake-backend.js'

/** Over HTTP and in the library the same calls give the same pictures, to the last bit. */

const QUICK = { prior_steps: 3, decoder_steps: 2, seed: 5 }
const SAME = { priorSteps: 3, decoderSteps: 2, seed: 5 }

let server: FastifyInstance
let pipeline: Pipeline
let picture: Buffer

beforeAll(async () => {
  server = await createServer({ models: { tiny: tinyModel }, pipeline: { threads: 1 } })
  await server.ready()
  pipeline = await Pipeline.load(tinyModel, { threads: 1 })
  picture = await heartPicture()
})

afterAll(async () => {
  await server.close()
  await pipeline.dispose()
})

const post = (path: string, body: object) => server.inject({ url: path, ...json(body) })

async function imagesOf(path: string, body: object) {
  const reply = await post(path, body)
  expect(reply.statusCode, reply.body).toBe(200)
  return IMAGES_REPLY.parse(reply.json())
}

const pixelsOf = (file: Buffer) => sharp(file).removeAlpha().raw().toBuffer()
const fromBase64 = ({ b64_json }: { b64_json?: string | undefined }) => Buffer.from(b64_json!, 'base64')

describe('generations', () => {
  test('are those of the library, with all that made them', async () => {
    const expected = await pipeline.generate({ prompt: 'a red heart', numImagesPerPrompt: 2, ...SAME })
    const reply = await imagesOf('/v1/images/generations', { prompt: 'a red heart', n: 2, ...QUICK })
    expect(reply).toMatchObject({ size: '256x256', output_format: 'png', background: 'opaque', model: 'tiny' })
    expect(reply.data.map(({ seed }) => seed)).toEqual([5, 6])
    for (const [index, each] of reply.data.entries()) {
      expect(fromBase64(each).equals(await expected.images[index]!.toBuffer())).toBe(true)
      expect(each.parameters).toEqual(expected.images[index]!.parameters)
    }
    expect(reply.timings['prior']).toBeGreaterThan(0)
  })

  test('are the same as JSON and as a form, with a list of seeds', async () => {
    const one = await imagesOf('/v1/images/generations', {
      prompt: 'x',
      seeds: [9, 3],
      size: '128x256',
      prior_steps: 2,
      decoder_steps: 1
    })
    const two = await server.inject({
      url: '/v1/images/generations',
      ...form(Object.entries({ prompt: 'x', seeds: '[9,3]', size: '128x256', prior_steps: '2', decoder_steps: '1' }))
    })
    expect(two.json().data).toEqual(one.data)
    expect(one.data.map(({ seed }) => seed)).toEqual([9, 3])
    expect(one.size).toBe('128x256')
  })

  test.each(['jpeg', 'webp'] as const)('come as %s, as bytes too', async format => {
    const body = { prompt: 'x', output_format: format, output_compression: 80, ...QUICK }
    const {
      data: [image]
    } = await imagesOf('/v1/images/generations', body)
    const file = fromBase64(image!)
    expect((await sharp(file).metadata()).format).toBe(format)
    expect((await readParameters(file)).parameters).toEqual(image!.parameters)
    const raw = await server.inject({
      url: '/v1/images/generations',
      ...json(body),
      headers: { accept: `image/${format}`, 'content-type': 'application/json' }
    })
    expect([raw.headers['x-wuerstchen-seed'], raw.rawPayload.equals(file)]).toEqual(['5', true])
  })

  test('send previews, no more than were asked for, and the same picture', async () => {
    const {
      data: [expected]
    } = await imagesOf('/v1/images/generations', { prompt: 'a red heart', ...QUICK })
    const { body } = await post('/v1/images/generations', { prompt: 'a red heart', stream: true, partial_images: 2, ...QUICK })
    const events = body
      .split('\n')
      .filter(line => line.startsWith('data: '))
      .map(line => JSON.parse(line.slice(6)) as { type: string; b64_json: string; partial_image_index?: number; size: string })
    expect(events.map(({ type, partial_image_index: index }) => [type, index])).toEqual([
      ['image_generation.partial_image', 0],
      ['image_generation.partial_image', 1],
      ['image_generation.completed', undefined]
    ])
    expect(events[2]!.b64_json).toBe(expected!.b64_json)
    const { width, height } = await sharp(fromBase64(events[0]!)).metadata()
    expect(`${width}x${height}`).toBe(events[0]!.size)
  })
})

describe('variations and edits', () => {
  test('are those of the library, however the picture is sent', async () => {
    const {
      images: [expected]
    } = await pipeline.vary(picture, { strength: 0.3, ...SAME })
    const fields = { strength: '0.3', prior_steps: '3', decoder_steps: '2', seed: '5' }
    const replies = [
      await post('/v1/images/variations', { image: picture.toString('base64'), strength: 0.3, ...QUICK }),
      await post('/v1/images/variations', {
        image: `data:image/png;base64,${picture.toString('base64')}`,
        strength: 0.3,
        ...QUICK
      }),
      await server.inject({ url: '/v1/images/variations', ...form(Object.entries({ image: picture, ...fields })) }),
      await server.inject({ url: '/v1/images/variations', ...form(Object.entries({ 'image[]': picture, ...fields })) })
    ]
    for (const reply of replies)
      expect(fromBase64(IMAGES_REPLY.parse(reply.json()).data[0]!).equals(await expected!.toBuffer())).toBe(true)
  })

  test('change what is transparent in the mask, or what is white in it, and nothing else', async () => {
    const left = Array.from({ length: 128 * 128 }, (_, index) => index % 128 < 64)
    const raw = (channels: 1 | 4) => ({ raw: { width: 128, height: 128, channels } })
    const white = await sharp(Buffer.from(left.map(changes => (changes ? 255 : 0))), raw(1))
      .png()
      .toBuffer()
    const transparent = await sharp(Buffer.from(left.flatMap(changes => [10, 20, 30, changes ? 0 : 255])), raw(4))
      .png()
      .toBuffer()
    const edit = async (mask: object) =>
      fromBase64(
        (await imagesOf('/v1/images/edits', { image: picture.toString('base64'), prompt: 'a green tree', ...mask, ...QUICK }))
          .data[0]!
      )
    const byWhite = await edit({ mask: white.toString('base64'), mask_changes: 'white' })
    const byTransparency = await edit({ mask: transparent.toString('base64') })
    expect((await pixelsOf(byTransparency)).equals(await pixelsOf(byWhite))).toBe(true)
    const [before, after] = [await pixelsOf(picture), await pixelsOf(byWhite)]
    const differs = (changed: boolean) =>
      after.some((value, index) => left[Math.floor(index / 3)] === changed && value !== before[index])
    expect([differs(true), differs(false)]).toEqual([true, false])
    const {
      images: [expected]
    } = await pipeline.edit(picture, { prompt: 'a green tree', mask: white, ...SAME })
    expect(byWhite.equals(await expected!.toBuffer())).toBe(true)
  })

  test.each(['rgb', 'opaque rgba'])('name mask_changes where a mask has nothing transparent: %s', async kind => {
    const channels = kind === 'rgb' ? 3 : 4
    const colours = [255, 255, 255, 255].slice(0, channels)
    const black = [0, 0, 0, 255].slice(0, channels)
    const values = Array.from({ length: 128 * 128 }, (_, pixel) => (pixel % 128 < 64 ? colours : black)).flat()
    const mask = await sharp(Buffer.from(values), { raw: { width: 128, height: 128, channels } })
      .png()
      .toBuffer()
    const body = { image: picture.toString('base64'), prompt: 'a tree', mask: mask.toString('base64'), ...QUICK }
    const refused = await post('/v1/images/edits', body)
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toMatchObject({
      error: {
        param: 'mask',
        message:
          'Expected an image with transparency, which is what changes, for mask but it has none. With mask_changes "white" what is white changes'
      }
    })
    expect((await post('/v1/images/edits', { ...body, mask_changes: 'white' })).statusCode).toBe(200)
  })

  test("change what is transparent in the image itself where there is no mask, as OpenAI's API does", async () => {
    const rgba = (opacity: (pixel: number) => number) =>
      sharp(
        Buffer.from(Array.from({ length: 128 * 128 }, (_, pixel) => [pixel % 256, 90, (pixel >> 7) * 2, opacity(pixel)]).flat()),
        { raw: { width: 128, height: 128, channels: 4 } }
      )
        .png()
        .toBuffer()
    const isLeft = (pixel: number) => pixel % 128 < 64
    const [cut, opaque] = [await rgba(pixel => (isLeft(pixel) ? 0 : 255)), await rgba(() => 255)]
    const edit = async (image: Buffer, fields: object = {}) =>
      fromBase64(
        (await imagesOf('/v1/images/edits', { image: image.toString('base64'), prompt: 'a green tree', ...fields, ...QUICK }))
          .data[0]!
      )
    const before = await pixelsOf(opaque)
    const byOwn = await edit(cut)
    const kept = (after: Buffer) => after.every((value, index) => isLeft(Math.floor(index / 3)) || value === before[index])
    expect(kept(await pixelsOf(byOwn))).toBe(true)
    const library = async (image: Buffer, options: object) =>
      (await pipeline.edit(image, { prompt: 'a green tree', ...SAME, ...options })).images[0]!.toBuffer()
    expect(byOwn.equals(await library(cut, { mask: 'alpha' }))).toBe(true)
    // An opaque image with an alpha channel, and one whose transparency is not to count: all of it changes.
    expect((await edit(opaque)).equals(await library(opaque, {}))).toBe(true)
    expect((await edit(cut, { mask_changes: 'white' })).equals(await library(cut, {}))).toBe(true)
  })

  test.each<[string, () => Promise<Buffer> | Buffer, string]>([
    ['a text', () => Buffer.from('no picture'), 'image'],
    ['an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'), 'image'],
    [
      'a GIF',
      () =>
        sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
          .gif()
          .toBuffer(),
      'image'
    ],
    [
      'too many pixels',
      () =>
        sharp({ create: { width: 6000, height: 6000, channels: 3, background: 'red' } })
          .png()
          .toBuffer(),
      'image'
    ],
    ['half a picture', () => picture.subarray(0, picture.length / 2), 'image']
  ])('cannot be made from %s', async (_, file, param) => {
    const reply = await post('/v1/images/variations', { image: (await file()).toString('base64'), ...QUICK })
    expect([reply.statusCode, reply.json().error.param]).toEqual([400, param])
  })

  test.each([['/etc/passwd'], ['file:///etc/passwd'], ['http://127.0.0.1/picture.png'], ['data:text/html,<b>']])(
    'open neither a path nor an address: %s',
    async image => {
      const reply = await post('/v1/images/variations', { image })
      expect([reply.statusCode, reply.json().error.param]).toEqual([400, 'image'])
    }
  )

  test.each([
    ['of another size', { width: 64, height: 64 }, { mask_changes: 'white' }],
    ['that says nothing', { width: 128, height: 128 }, {}]
  ])('refuse a mask %s', async (_, size, fields) => {
    const mask = await sharp({ create: { ...size, channels: 3, background: 'white' } })
      .png()
      .toBuffer()
    const reply = await post('/v1/images/edits', {
      image: picture.toString('base64'),
      mask: mask.toString('base64'),
      prompt: 'x',
      ...fields,
      ...QUICK
    })
    expect([reply.statusCode, reply.json().error.param]).toEqual([400, 'mask'])
  })
})

describe('embeddings', () => {
  test('of a prompt are those of the library, and decode to its picture', async () => {
    const reply = EMBEDDINGS_REPLY.parse(
      (
        await post('/v1/image-embeddings', { prompt: 'a red heart', n: 2, seed: 5, prior_steps: 3, encoding_format: 'float' })
      ).json()
    )
    expect([reply.shape, reply.seeds]).toEqual([
      [2, 16, 6, 6],
      [5, 6]
    ])
    using read = await Embeddings.load(Buffer.from(reply.data, 'base64'))
    expect(Array.from((await read.tensor.data()) as Float32Array)).toEqual(reply.values)
    const decoded = await imagesOf('/v1/image-embeddings/decode', { embeddings: reply.data, decoder_steps: 2 })
    const generated = await imagesOf('/v1/images/generations', { prompt: 'a red heart', n: 2, ...QUICK })
    expect(decoded.data.map(({ b64_json }) => b64_json)).toEqual(generated.data.map(({ b64_json }) => b64_json))
  })

  test("of a picture are the image encoder's", async () => {
    const reply = EMBEDDINGS_REPLY.parse(
      (await server.inject({ url: '/v1/image-embeddings', ...form(Object.entries({ image: picture })) })).json()
    )
    using expected = await pipeline.encodeImage(picture)
    using read = await Embeddings.load(Buffer.from(reply.data, 'base64'))
    expect(await read.tensor.data()).toEqual(await expected.tensor.data())
    expect(reply.seeds).toEqual([null])
  })

  test.each<[string, object, string]>([
    ['neither a prompt nor a picture', {}, 'prompt'],
    ['both', { prompt: 'x', image: 'AAAA' }, 'prompt'],
    ['steps for a picture', { image: 'AAAA', prior_steps: 3 }, 'image']
  ])('are not made of %s', async (_, body, param) => {
    const reply = await post('/v1/image-embeddings', body)
    expect([reply.statusCode, reply.json().error.param]).toEqual([400, param])
  })

  test('are not decoded where they are not sound', async () => {
    const good = Buffer.from(
      (await post('/v1/image-embeddings', { prompt: 'x', prior_steps: 1 })).json().data as string,
      'base64'
    )
    const spoilt = [
      Buffer.from('no file'),
      good.subarray(0, good.length - 4),
      Buffer.concat([good.subarray(0, good.length - 4), Buffer.from([0, 0, 0xc0, 0x7f])])
    ]
    for (const file of spoilt) {
      const reply = await post('/v1/image-embeddings/decode', { embeddings: file.toString('base64') })
      expect([reply.statusCode, reply.json().error.param]).toEqual([400, 'embeddings'])
    }
  })
})

test("requests share the engine's batches, and the metrics say so", async () => {
  await Promise.all(
    [1, 2, 3].map(seed => imagesOf('/v1/images/generations', { prompt: `x ${seed}`, seed, prior_steps: 8, decoder_steps: 4 }))
  )
  const { body } = await server.inject({ url: '/metrics' })
  const shared = [...body.matchAll(/^wuerstchen_engine_runs_total\{model="tiny",batch="(\d+)"\} (\d+)$/gm)].filter(
    ([, batch]) => Number(batch) > 1
  )
  expect(shared.length).toBeGreaterThan(0)
  expect(body).toMatch(/^nodejs_eventloop_lag_p99_seconds /m)
  await until(async () => (await server.wuerstchen.jobs.stats()).running === 0)
})
