import { expect, test } from 'vitest'
import { json, until, withFakeServer, heartPicture } from '../fake-backend.js'
import { QUICK, withPipeline } from '../../support/small-model.js'

const LEVELS = [1, 0.6, 0.25, 0]
const image = (await heartPicture()).toString('base64')

test.each([
  [
    '/v1/images/generations',
    { prompt: 'x', prior_timesteps: LEVELS, prior_guidance_interval: [0.2, 1], decoder_timesteps: [1, 0] }
  ],
  ['/v1/images/edits', { image, prompt: 'x', prior_guidance_interval: [0, 0.9], decoder_timesteps: LEVELS }],
  ['/v1/images/variations', { image, decoder_timesteps: LEVELS }],
  ['/v1/image-embeddings', { prompt: 'x', prior_timesteps: LEVELS, prior_guidance_interval: [0.5, 0.5] }]
] as const)('%s passes on the noise levels of the call', (url, body) =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    expect((await app.inject({ url, ...json(body) })).statusCode).toBe(200)
    const { options } = backend.runs[0]!.work as { options: object }
    const expected = Object.fromEntries(
      Object.entries(body).flatMap(([name, value]) =>
        Array.isArray(value) ? [[name.replace(/_./g, part => part[1]!.toUpperCase()), value]] : []
      )
    )
    expect(options).toMatchObject(expected)
  })
)

test('jobs and streams take them too, and a form as a list or one by one', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const body = { prompt: 'x', prior_timesteps: LEVELS }
    expect((await app.inject({ url: '/v1/jobs', ...json({ endpoint: '/v1/images/generations', body }) })).statusCode).toBe(202)
    await app.inject({ url: '/v1/images/generations', ...json({ ...body, stream: true }) })
    const part = (name: string, value: string) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const form = (payload: string) =>
      app.inject({
        url: '/v1/images/generations',
        method: 'POST',
        payload: `${part('prompt', 'x')}${payload}--b--\r\n`,
        headers: { 'content-type': 'multipart/form-data; boundary=b' }
      })
    await form(part('prior_timesteps', JSON.stringify(LEVELS)))
    await form(LEVELS.map(level => part('prior_timesteps[]', String(level))).join(''))
    await until(() => backend.runs.length === 4)
    for (const { work } of backend.runs) expect(work.options).toMatchObject({ priorTimesteps: LEVELS })
  }))

const WRONG = [
  [[1], 'too few'],
  [[], 'none'],
  [[1, 1, 0], 'equal'],
  [[0, 1], 'ascending'],
  [[1.5, 0], 'above 1'],
  [[1, -0.5], 'below 0'],
  [['1', 0], 'a text'],
  [[1, null], 'null'],
  ['1,0', 'no list'],
  [Array.from({ length: 12 }, (_, index) => 1 - index / 11), 'more than the limit']
] as const

test.each(WRONG)('%j is refused: %s', prior_timesteps =>
  withFakeServer({ limits: { maxPriorSteps: 10 } }, async app => {
    const reply = await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x', prior_timesteps }) })
    expect([reply.statusCode, reply.json<{ error: { param: string } }>().error.param.split('.')[0]]).toEqual([
      400,
      'prior_timesteps'
    ])
  })
)

test('the library refuses what the server refuses, and takes what it takes', () =>
  withPipeline(async pipeline => {
    const call = (priorTimesteps: never) => pipeline.generate({ ...QUICK, priorSteps: undefined as never, priorTimesteps })
    for (const [levels, why] of WRONG.slice(0, -1))
      await expect(call(levels as never), why).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }))

test('beside a number of steps they are refused, and where a call has none of them they are unknown', () =>
  withFakeServer({}, async app => {
    const ask = async (url: string, body: object) =>
      (await app.inject({ url, ...json(body) })).json<{ error: { code: string; param: string } }>().error
    expect(await ask('/v1/images/generations', { prompt: 'x', prior_timesteps: LEVELS, prior_steps: 3 })).toMatchObject({
      code: 'invalid_value',
      param: 'prior_timesteps'
    })
    expect(await ask('/v1/images/variations', { image, prior_timesteps: LEVELS })).toMatchObject({ code: 'unknown_parameter' })
    expect(await ask('/v1/image-embeddings', { image, prior_timesteps: LEVELS })).toMatchObject({ param: 'image' })
  }))

test.each([[[0.5]], [[0.6, 0.5]], [[0, 1.1]], [[0, 0.5, 1]], [['0', 1]], ['0,1']])(
  'a guidance interval of %j is refused',
  interval =>
    withFakeServer({}, async app => {
      const body = { prompt: 'x', prior_guidance_interval: interval }
      const reply = await app.inject({ url: '/v1/images/generations', ...json(body) })
      expect([reply.statusCode, reply.json().error.param.split('.')[0]]).toEqual([400, 'prior_guidance_interval'])
    })
)
