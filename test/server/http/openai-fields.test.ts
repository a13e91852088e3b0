import sharp from 'sharp'
import { describe, expect, test, vi } from 'vitest'
import { COMPLETED, IMAGES_REPLY } from '../../../lib/server/api/replies.js'
import type { Work } from '../../../lib/server/jobs/work.js'
import { form, heartPicture, json, tinyModel, until, withFakeServer, withoutPresets } from '../fake-backend.js'

const GENERATIONS = '/v1/images/generations'
const EDITS = '/v1/images/edits'

/** What OpenAI's reference of the Images API lists, and its defaults. */
const ACCEPTED: readonly [fields: object, ignored: string[]][] = [
  [{}, []],
  [{ quality: 'auto' }, []],
  ...['low', 'medium', 'high', 'standard', 'hd'].map(quality => [{ quality }, []] as [object, string[]]),
  ...['vivid', 'natural'].map(style => [{ style }, ['style']] as [object, string[]]),
  ...['auto', 'low'].map(moderation => [{ moderation }, ['moderation']] as [object, string[]]),
  ...['high', 'low'].map(fidelity => [{ input_fidelity: fidelity }, ['input_fidelity']] as [object, string[]]),
  [{ user: 'somebody', style: 'vivid' }, ['style', 'user']],
  [{ output_compression: 100 }, []],
  [{ output_compression: 100, output_format: 'png' }, []],
  [{ partial_images: 0 }, []],
  [{ partial_images: 0, stream: false }, []],
  [{ background: 'auto' }, []],
  [{ background: 'opaque' }, []],
  [{ size: 'auto' }, []],
  ...['256x256', '512x512', '1024x1024', '1024x1536', '1536x1024', '1792x1024', '1024x1792'].map(
    size => [{ size }, []] as [object, string[]]
  ),
  [
    Object.fromEntries(
      ['n', 'size', 'quality', 'style', 'moderation', 'user', 'background', 'stream', 'partial_images', 'seed', 'seeds']
        .concat('output_format', 'output_compression', 'response_format', 'input_fidelity', 'model')
        .map(name => [name, null])
    ),
    []
  ]
]

describe("OpenAI's fields and values", () => {
  test.each(ACCEPTED)('%j are accepted, and %j have no effect', (fields, ignored) =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', ...fields }) })
      expect(reply.statusCode, reply.body).toBe(200)
      expect(IMAGES_REPLY.parse(reply.json())).toMatchObject({ ignored, usage: { total_tokens: 0 } })
    })
  )

  test('are refused by a strict server where they have no effect, and only there', () =>
    withFakeServer({ strictOpenai: true }, async (app, backend) => {
      backend.automatic = true
      for (const [fields, ignored] of ACCEPTED) {
        if (Object.values(fields).every(value => value === null) && Object.keys(fields).length > 0) continue
        const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', ...fields }) })
        expect([fields, reply.statusCode]).toEqual([fields, ignored.length > 0 ? 400 : 200])
        if (ignored.length > 0) expect(ignored).toContain(reply.json().error.param)
      }
    }))

  test('without effect are named in streams, in jobs and in their results', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const body = { prompt: 'x', style: 'vivid' }
      const { body: stream } = await app.inject({ url: GENERATIONS, ...json({ ...body, stream: true }) })
      const data = stream.split('\n').find(line => line.startsWith('data: {"type":"image_generation.completed"'))!
      expect(COMPLETED.parse(JSON.parse(data.slice(6)))).toMatchObject({ ignored: ['style'], usage: { output_tokens: 0 } })
      const job = await app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body }) })
      expect(job.json().ignored).toEqual(['style'])
      const result = await app.inject({ url: `/v1/jobs/${job.json().id}/result` })
      expect(result.json().ignored).toEqual(['style'])
    }))

  test('a kept result was created when its job ended, whenever it is asked for', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const job = await app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
      const url = `/v1/jobs/${job.json().id}`
      const { created } = (await app.inject({ url: `${url}/result` })).json()
      const now = Date.now()
      vi.spyOn(Date, 'now').mockImplementation(() => now + 60_000)
      try {
        expect((await app.inject({ url: `${url}/result` })).json().created).toBe(created)
        expect((await app.inject({ url })).json().finished_at).toBe(created)
      } finally {
        vi.restoreAllMocks()
      }
    }))

  test.each([
    ['low', 'fast', 'low'],
    ['medium', 'balanced', 'medium'],
    ['high', 'reference', 'high'],
    ['standard', 'reference', 'high'],
    ['hd', 'reference', 'high'],
    ['auto', undefined, 'auto']
  ])('quality %s stands for the preset %s', (quality, preset, replied) =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const image = (await heartPicture()).toString('base64')
      const bodies = [
        [GENERATIONS, {}],
        [EDITS, { image }],
        ['/v1/images/variations', { image }]
      ] as const
      for (const [url, more] of bodies) {
        const reply = await app.inject({ url, ...json({ prompt: 'x', quality, ...more }) })
        expect(reply.json()).toMatchObject({ quality: replied, ignored: [] })
        expect((backend.runs.at(-1)!.work.options as { preset?: string }).preset).toBe(preset)
      }
    })
  )

  test('a quality whose preset the model does not have changes nothing and is named, or refused by a strict server', () =>
    withoutPresets(async old => {
      const models = { old }
      await withFakeServer({ models }, async (app, backend) => {
        backend.automatic = true
        const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', quality: 'low' }) })
        expect(reply.json()).toMatchObject({ quality: 'auto', ignored: ['quality'] })
        expect(backend.runs[0]!.work.options).not.toHaveProperty('preset')
        const named = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', preset: 'fast' }) })
        expect([named.statusCode, named.json().error.param]).toEqual([400, 'preset'])
      })
      await withFakeServer({ models, strictOpenai: true }, async (app, backend) => {
        backend.automatic = true
        for (const [quality, status] of [
          ['low', 400],
          ['medium', 400],
          ['hd', 200],
          ['auto', 200]
        ] as const)
          expect((await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', quality }) })).statusCode, quality).toBe(status)
      })
    }))

  test('a preset and a quality exclude each other', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const ask = (fields: object) => app.inject({ url: GENERATIONS, ...json({ prompt: 'x', preset: 'fast', ...fields }) })
      expect((await ask({ quality: 'low' })).json().error).toMatchObject({ param: 'quality' })
      for (const quality of ['auto', null]) expect((await ask({ quality })).statusCode).toBe(200)
      expect(backend.runs.map(({ work }) => work.options)).toMatchObject([{ preset: 'fast' }, { preset: 'fast' }])
    }))

  test('a seed of -1 is a drawn one, in lists and for embeddings too', () =>
    withFakeServer({}, async (app, { runs }) => {
      const drawn = new Set<number>()
      for (let count = 0; count < 2; count++) {
        void app.inject({ url: GENERATIONS, ...json({ prompt: 'x', seed: -1 }) })
        void app.inject({ url: '/v1/image-embeddings', ...json({ prompt: 'x', seeds: [5, -1] }) })
      }
      await until(() => runs.length === 4)
      for (const { work } of runs) {
        const { seed, seeds } = work.options as { seed?: number; seeds?: number[] }
        if (seeds !== undefined) expect(seeds[0]).toBe(5)
        const any = seed ?? seeds![1]!
        expect(any).toBeGreaterThanOrEqual(0)
        drawn.add(any)
      }
      expect(drawn.size).toBe(4)
      for (const run of runs) run.finish()
    }))
})

describe('messages', () => {
  const SIDES = '128, 256, 384, 512, 640, 768, 896, 1024, 1152, 1280, 1408, 1536, 1664, 1792'
  test.each<[object, string]>([
    [{ prompt: 7 }, 'Expected a string for prompt but received 7 of type number'],
    [{ prompt: 'x', n: 11 }, 'Expected a number of at most 10 for n but received 11 of type number'],
    [{ prompt: 'x', n: 0 }, 'Expected a number of at least 1 for n but received 0 of type number'],
    [{ prompt: 'x', n: 0.5 }, 'Expected an integer for n but received 0.5 of type number'],
    [{ prompt: 'x', n: 'two' }, 'Expected a number for n but received 3 characters of type string'],
    [{ prompt: 'x', seeds: [] }, 'Expected a list of at least 1 entry for seeds but received 0 entries of type array'],
    [{ prompt: 'x', stream: 'yes' }, 'Expected true or false for stream but received 3 characters of type string'],
    [
      { prompt: 'x', background: 'transparent' },
      'Expected one of auto, opaque for background but received 11 characters of type string'
    ],
    [
      { prompt: 'x', size: '1000x512' },
      `Expected auto, or WIDTHxHEIGHT with sides of ${SIDES}, for size but received 1000x512. The nearest: 896x512, 1024x512`
    ],
    [
      { prompt: 'x', size: 'large' },
      `Expected auto, or WIDTHxHEIGHT with sides of ${SIDES}, for size but received 5 characters of type string`
    ],
    [{ prompt: 'x', seeds: [1], n: 1 }, 'Expected nothing of seed, n beside seeds'],
    [{ prompt: 'x', partial_images: 1 }, 'Expected 0 for partial_images unless stream is true'],
    [{ prompt: 'x', output_compression: 7 }, 'Expected 100 for output_compression unless output_format is jpeg or webp']
  ])('%j: %s', (body, message) =>
    withFakeServer({}, async app => {
      const reply = await app.inject({ url: GENERATIONS, ...json(body) })
      expect([reply.statusCode, reply.json().error.message]).toEqual([400, message])
    })
  )

  test.each<[string, object, string, string]>([
    [
      'two',
      { image: ['AAAA', 'AAAA'] },
      'invalid_value',
      'Expected one file a request for image but received 2 entries of type array'
    ],
    ['none', {}, 'missing_required_parameter', 'Missing required parameter: image'],
    [
      'an address',
      { image: 'http://x/y.png' },
      'invalid_value',
      'Expected a file, or its base64, for image but received 14 characters of type string'
    ],
    [
      'another kind of mask',
      { image: 'AAAA', mask: 7 },
      'invalid_value',
      'Expected a file, its base64, or a data: URL in image_url for mask but received 7 of type number'
    ]
  ])('of %s images: %j', (_, fields, code, message) =>
    withFakeServer({}, async app => {
      const reply = await app.inject({ url: EDITS, ...json({ prompt: 'x', ...fields }) })
      expect([reply.statusCode, reply.json().error]).toMatchObject([400, { code, message }])
    })
  )
})

describe('forms', () => {
  test('have fields without a value, which are as good as left out', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const empty = ['n', 'size', 'mask', 'user', 'quality', 'stream', 'seed', 'response_format', 'model', 'strength', 'fit']
      const image = await heartPicture()
      const reply = await app.inject({
        url: EDITS,
        ...form([
          ['prompt', 'x'],
          ['image', image],
          ['mask', Buffer.alloc(0)],
          ...empty.map(name => [name, ''] as [string, string])
        ])
      })
      expect(reply.statusCode, reply.body).toBe(200)
      expect(reply.json().ignored).toEqual([])
      expect(backend.runs[0]!.work).not.toHaveProperty('mask')
      const none = await app.inject({
        url: EDITS,
        ...form([
          ['prompt', 'x'],
          ['image', Buffer.alloc(0)]
        ])
      })
      expect(none.json().error).toMatchObject({ code: 'missing_required_parameter', param: 'image' })
      const emptyPrompt = await app.inject({ url: GENERATIONS, ...form([['prompt', '']]) })
      expect(emptyPrompt.statusCode).toBe(200)
    }))

  test('have one image, also under the name of a list, and booleans as Python writes them', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const image = await heartPicture()
      const one = await app.inject({
        url: EDITS,
        ...form([
          ['prompt', 'x'],
          ['image[]', image],
          ['stream', 'False']
        ])
      })
      expect(one.statusCode, one.body).toBe(200)
      const two = await app.inject({
        url: EDITS,
        ...form([
          ['prompt', 'x'],
          ['image[]', image],
          ['image[]', image]
        ])
      })
      expect(two.json().error).toMatchObject({
        param: 'image',
        message: 'Expected one file a request for image but received 2 entries of type array'
      })
    }))
})

test("an edit may have its image and its mask as OpenAI's clients write them in JSON; nothing else is followed", () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const small = await heartPicture()
    // Longer ones are decoded from the bytes of the body, and not from its value.
    const noise = { create: { width: 256, height: 256, channels: 4 as const, background: '#0000' } }
    const large = await sharp({ ...noise, create: { ...noise.create, noise: { type: 'gaussian', mean: 128, sigma: 50 } } })
      .png()
      .toBuffer()
    expect(large.length).toBeGreaterThan(64 * 1024)
    const url = (file: Buffer) => ({ image_url: `data:image/png;base64,${file.toString('base64')}` })
    const edit = async (body: object) => app.inject({ url: EDITS, ...json({ prompt: 'x', ...body }) })
    for (const file of [small, large]) {
      const mask = await sharp(file).ensureAlpha(0).png().toBuffer()
      for (const body of [{ images: [url(file)] }, { images: [url(file)], image: null, mask: url(mask) }]) {
        const reply = await edit(body)
        expect(reply.statusCode, reply.body).toBe(200)
        const work = backend.runs.at(-1)!.work as Extract<Work, { kind: 'edit' }>
        expect(file.equals(work.source)).toBe(true)
        if (body.mask !== undefined) expect(mask.equals(work.mask!.file as Buffer)).toBe(true)
      }
    }
    const job = await app.inject({
      url: '/v1/jobs',
      ...json({ endpoint: EDITS, body: { prompt: 'x', images: [url(small)] } })
    })
    expect(job.statusCode, job.body).toBe(202)
    const ran = backend.runs.length

    const address = { image_url: 'https://images.example.com/a.png' }
    const one = 'a list of one image_url with a data: URL for images but received 1 entry of type array'
    for (const [body, param, message] of [
      [{ images: [address] }, 'images', `Expected ${one}`],
      [{ images: [{ image_url: 'file:///etc/passwd' }] }, 'images', `Expected ${one}`],
      [{ images: [{ file_id: 'file-1' }] }, 'images', `Expected ${one}`],
      [{ images: [{ ...url(small), file_id: 'file-1' }] }, 'images', `Expected ${one}`],
      [
        { images: [url(small), url(small)] },
        'images',
        'Expected one file a request for images but received 2 entries of type array'
      ],
      [{ images: [] }, 'images', 'Expected one file a request for images but received 0 entries of type array'],
      [{ image: small.toString('base64'), images: [url(small)] }, 'images', 'Expected nothing of image beside images'],
      [{}, 'image', 'Missing required parameter: image'],
      [{ images: [url(Buffer.from('no image'))] }, 'images', expect.stringContaining('still image')],
      [
        { images: [url(small)], mask: address },
        'mask',
        'Expected a file, its base64, or a data: URL in image_url for mask but received an object of type object'
      ]
    ] as const) {
      const reply = await edit(body)
      expect([reply.statusCode, reply.json().error]).toMatchObject([400, { param, message }])
    }
    expect(backend.runs).toHaveLength(ran)
  }))

test('base64 may have line breaks and data: before it', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const image = await heartPicture()
    const lines = image.toString('base64').replace(/.{76}/g, '$&\n')
    for (const text of [lines, lines.replaceAll('\n', '\r\n'), `data:image/png;base64,${lines}`, [lines]]) {
      const reply = await app.inject({ url: EDITS, ...json({ prompt: 'x', image: text }) })
      expect(reply.statusCode, reply.body).toBe(200)
    }
    for (const { work } of backend.runs) expect(image.equals((work as Extract<Work, { kind: 'edit' }>).source)).toBe(true)
  }))

test('a request without a body may have a content type', () =>
  withFakeServer({}, async app => {
    const headers = { 'content-type': 'application/json' }
    const created = await app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
    const cancelled = await app.inject({ method: 'DELETE', url: `/v1/jobs/${created.json().id}`, headers })
    expect([cancelled.statusCode, cancelled.json().status]).toEqual([200, 'cancelled'])
    expect((await app.inject({ method: 'GET', url: '/v1/models', headers })).statusCode).toBe(200)
    const empty = await app.inject({ method: 'POST', url: GENERATIONS, headers })
    expect([empty.statusCode, empty.json().error.code]).toEqual([400, 'invalid_value'])
  }))

test('errors say whether another try can help', () =>
  withFakeServer({ limits: { maxQueued: 1, maxRunningImages: 1 } }, async (app, { runs }) => {
    const post = (body: object) => app.inject({ url: GENERATIONS, ...json({ prompt: 'x', ...body }) })
    const running = post({})
    await until(() => runs.length === 1)
    const waits = await app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
    const unfinished = await app.inject({ url: `/v1/jobs/${waits.json().id}/result` })
    const full = await post({})
    const late = app.inject({ url: `/v1/jobs/${waits.json().id}`, method: 'DELETE' })
    runs[0]!.fail(new Error('broken'))
    const answers = [unfinished, full, await running, await post({ n: 0 })]
    expect(answers.map(({ statusCode, headers }) => [statusCode, headers['x-should-retry'], headers['retry-after']])).toEqual([
      [409, 'false', undefined],
      [503, 'true', '5'],
      [500, undefined, undefined],
      [400, 'false', undefined]
    ])
    await late
  }))

describe('models', () => {
  const ALIASES = { aliases: { 'gpt-image-1': 'tiny', 'openai/dall-e-3': 'tiny' } }

  test('have other names, which are listed and can be asked for', () =>
    withFakeServer(ALIASES, async (app, backend) => {
      backend.automatic = true
      const { data } = (await app.inject('/v1/models')).json() as { data: { id: string; alias_of: string | null }[] }
      expect(data.map(({ id, alias_of }) => [id, alias_of])).toEqual([
        ['tiny', null],
        ['gpt-image-1', 'tiny'],
        ['openai/dall-e-3', 'tiny']
      ])
      for (const each of data) expect((await app.inject(`/v1/models/${encodeURIComponent(each.id)}`)).json()).toEqual(each)
      const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', model: 'openai/dall-e-3' }) })
      expect([reply.statusCode, backend.runs[0]!.model, reply.json().model]).toEqual([200, 'tiny', 'tiny'])
    }))

  test.each(['gpt-image-2', 'TINY', '__proto__', '%00'])('%s is no model', name =>
    withFakeServer(ALIASES, async app => {
      const reply = await app.inject(`/v1/models/${name}`)
      expect([reply.statusCode, reply.json().error]).toMatchObject([404, { code: 'model_not_found', param: 'model' }])
    })
  )

  test.each<[string, Record<string, string>, string]>([
    ['no model', { other: 'nothing' }, 'aliases.other'],
    ['a name that is taken', { tiny: 'tiny' }, 'aliases'],
    ['no name', { ' ': 'tiny' }, 'aliases']
  ])('an alias of %s is refused at start', async (_, aliases, subject) => {
    await expect(withFakeServer({ models: { tiny: tinyModel }, aliases }, async () => {})).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject
    })
  })
})
