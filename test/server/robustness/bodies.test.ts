import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { fakeImage, heartPicture, json, resultOf, until, withFakeServer } from '../fake-backend.js'
import { allOver, head, listening, open, request } from './support/sockets.js'

const [GENERATIONS, VARIATIONS, JOBS] = ['/v1/images/generations', '/v1/images/variations', '/v1/jobs']
const MIB = 1024 * 1024
const KEYS = { ann: 'a'.repeat(20), bob: 'b'.repeat(20) }
const apiKeys = [`ann:${KEYS.ann}`, `bob:${KEYS.bob}`]
const CHUNKED = { 'transfer-encoding': 'chunked' }
const as = (name: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[name]}` })
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

const codeOf = (text: string) => (JSON.parse(text) as { error?: { code: string } }).error?.code

describe('a body', () => {
  const LARGE = 8 * MIB
  const times = (piece: string) => piece.repeat(LARGE / piece.length)

  test.each<[string, string, number]>([
    ['nested arrays', `{"image":${times('[')}`, 400],
    ['nested objects', `{"image":${times('{"a":')}`, 400],
    ['small arrays', `{"image":[${times('[],')}[]]}`, 400],
    ['many seeds', `{"image":"AAAA","seeds":[${times('7,')}7]}`, 400],
    ['objects for a prompt', `{"prompt":[${times('{},')}{}]}`, 400],
    ['unknown keys', `{${Array.from({ length: 500_000 }, (_, index) => `"k${index}":1`).join(',')}}`, 400],
    ['one key again and again', `{${times('"prompt":"x",')}"prompt":"x"}`, 400],
    ['a long number', `{"seed":${times('1')}}`, 413],
    ['a long text', `{"prompt":"${times('é')}"}`, 400],
    ['quotes', times('"'), 400],
    ['a key as long as a file', `{"${times('A')}":1}`, 400],
    ['base64 of no image', `{"image":"${times('A')}"}`, 400]
  ])('of %s is refused, and never given to JSON.parse as it is', (_, body, status) =>
    withFakeServer({}, async app => {
      const parse = JSON.parse
      let longest = 0
      JSON.parse = (text: string, ...rest: []) => {
        longest = Math.max(longest, text.length)
        return parse(text, ...rest) as unknown
      }
      try {
        const reply = await app.inject({ method: 'POST', url: VARIATIONS, payload: body, headers: json({}).headers })
        expect(reply.statusCode).toBe(status)
      } finally {
        JSON.parse = parse
      }
      expect(longest).toBeLessThan(MIB)
      await until(() => app.wuerstchen.held.bytes === 0)
    })
  )

  test.each([VARIATIONS, GENERATIONS, JOBS])('with keys of prototypes is refused (%s)', url =>
    withFakeServer({}, async app => {
      for (const body of ['{"prompt":"x","__proto__":{"n":2}}', '{"prompt":"x","constructor":{"prototype":{"n":2}}}']) {
        const payload = url === JOBS ? `{"endpoint":"${GENERATIONS}","body":${body}}` : body
        const reply = await app.inject({ method: 'POST', url, payload, headers: json({}).headers })
        expect(reply.statusCode).toBe(400)
      }
    })
  )

  test.each<[string, (prompt: string, image: string) => object]>([
    [GENERATIONS, prompt => ({ prompt })],
    ['/v1/images/edits', (prompt, image) => ({ prompt, negative_prompt: prompt, image, strength: 0.5 })],
    ['/v1/image-embeddings', prompt => ({ prompt })],
    [JOBS, prompt => ({ endpoint: GENERATIONS, body: { prompt } })],
    ['/sdapi/v1/img2img', (prompt, image) => ({ prompt, init_images: [image] })]
  ])('may have a prompt as long as prompts may be, in any script and as JSON escapes it (%s)', (url, bodyOf) =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const text = JSON.stringify(bodyOf('画'.repeat(32_000), (await heartPicture()).toString('base64')))
      for (const payload of [text, text.replaceAll('画', '\\u753b')]) {
        const reply = await app.inject({ method: 'POST', url, payload, headers: json({}).headers })
        expect([200, 202], reply.body).toContain(reply.statusCode)
      }
    })
  )

  test('that is a form is refused where a text in it is cut off, and not taken for what is left of it', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const send = async (bytes: number) => {
        const text = Buffer.concat([await heartPicture(), Buffer.alloc(bytes)]).toString('base64')
        const part = `--b\r\ncontent-disposition: form-data; name="image"\r\n\r\n${text}\r\n`
        const headers = { 'content-type': 'multipart/form-data; boundary=b' }
        return app.inject({ method: 'POST', url: VARIATIONS, payload: `${part}--b--\r\n`, headers })
      }
      expect((await send(0)).statusCode).toBe(200)
      const refused = (await send(200_000)).json() as { error: object }
      expect(refused.error).toMatchObject({ code: 'invalid_value', param: 'image' })
      expect(backend.runs).toHaveLength(1)
    }))

  test('may be large only where it can have a file in it, whatever the application around allows', () =>
    withFakeServer({}, async app => {
      const text = { prompt: 'x', user: 'y'.repeat(600_000) }
      expect((await app.inject({ url: GENERATIONS, ...json(text) })).statusCode).toBe(413)
      const file = { image: 'A'.repeat(4 * MIB) }
      const reply = await app.inject({ url: VARIATIONS, ...json(file) })
      expect([reply.statusCode, codeOf(reply.body)]).toEqual([400, 'invalid_image'])
    }))

  test('has room for the longest texts, however JSON writes them', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const text = '\\uD83D\\uDE00'.repeat(16_000)
      const payload = `{"prompt":"${text}","negative_prompt":"${text}"}`
      const reply = await app.inject({ method: 'POST', url: GENERATIONS, payload, headers: json({}).headers })
      expect(reply.statusCode).toBe(200)
    }))

  test('that is not there is none, for a client that always gives its type', () =>
    withFakeServer({}, async app => {
      const made = await app.inject({ url: JOBS, ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
      const { id } = JSON.parse(made.body) as { id: string }
      const reply = await app.inject({ method: 'DELETE', url: `${JOBS}/${id}`, headers: json({}).headers })
      expect([reply.statusCode, (reply.json() as { status: string }).status]).toEqual([200, 'cancelled'])
    }))

  test('with a file gives the file, in JSON as in a form', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const image = Buffer.concat([await heartPicture(), Buffer.alloc(MIB, 7)])
      for (const text of [image.toString('base64'), `data:image/png;base64,${image.toString('base64')}`])
        expect((await app.inject({ url: VARIATIONS, ...json({ image: text }) })).statusCode).toBe(200)
      const payload = Buffer.concat([
        Buffer.from('--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'),
        image,
        Buffer.from('\r\n--b--\r\n')
      ])
      const headers = { 'content-type': 'multipart/form-data; boundary=b' }
      expect((await app.inject({ method: 'POST', url: VARIATIONS, payload, headers })).statusCode).toBe(200)
      for (const { work } of backend.runs) expect(work.kind === 'vary' && image.equals(work.source)).toBe(true)
      expect(backend.runs).toHaveLength(3)
    }))
})

describe('a body without a length', () => {
  test('counts as it comes: 16 of one key leave room for another', async () => {
    const { app, backend, port } = await listening({ apiKeys })
    const lines = await Promise.all(
      Array.from({ length: 16 }, () => open(port, `${head(VARIATIONS, { ...CHUNKED, ...as('ann') })}${chunk('{"image":"AAAA"')}`))
    )
    await until(() => app.wuerstchen.held.bytesOf('ann') > 0)
    await pause(50)
    expect(app.wuerstchen.held.bytes).toBeLessThan(MIB)
    backend.automatic = true
    const line = await open(port, request(GENERATIONS, '{"prompt":"x"}', as('bob')))
    await until(() => /^HTTP\/1\.1 200 /.test(line.text()))
    for (const { socket } of [...lines, line]) socket.destroy()
    await until(() => app.wuerstchen.held.bytes === 0)
    await allOver(app)
  })

  test('ends where its key has as much as it may have, in JSON and in a form', async () => {
    const { app, backend, port } = await listening({ apiKeys, limits: { maxHeldBytes: 8 * MIB, maxHeldBytesPerKey: 2 * MIB } })
    const form = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    for (const [type, begin] of [
      ['application/json', '{"image":"'],
      ['multipart/form-data; boundary=b', form]
    ] as const) {
      const line = await open(port, `${head(VARIATIONS, { 'content-type': type, ...CHUNKED, ...as('ann') })}${chunk(begin)}`)
      for (let sent = 0; sent < 40 && line.text() === ''; sent++) {
        line.socket.write(chunk('A'.repeat(MIB / 8)))
        await pause(1)
      }
      await until(() => line.text() !== '')
      expect(line.text()).toMatch(/^HTTP\/1\.1 429 [\s\S]*"queue_share_full"/)
      expect(app.wuerstchen.held.bytesOf('ann')).toBeLessThanOrEqual(2 * MIB)
      backend.automatic = true
      const other = await open(port, request(GENERATIONS, '{"prompt":"x"}', as('bob')))
      await until(() => /^HTTP\/1\.1 200 /.test(other.text()))
      for (const { socket } of [line, other]) socket.destroy()
      await until(() => app.wuerstchen.held.bytes === 0)
    }
    await allOver(app)
  })

  test('is refused where it is more than the route takes, in JSON and in a form', async () => {
    const { app, port } = await listening({ limits: { maxBodyBytes: MIB } })
    const form = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    for (const [type, begin] of [
      ['application/json', '{"image":"'],
      ['multipart/form-data; boundary=b', form]
    ] as const) {
      const line = await open(port, `${head(VARIATIONS, { 'content-type': type, ...CHUNKED })}${chunk(begin)}`)
      for (let sent = 0; sent < 20 && line.text() === ''; sent++) line.socket.write(chunk('A'.repeat(MIB / 8)))
      await until(() => line.text() !== '')
      expect(line.text()).toMatch(/^HTTP\/1\.1 413 /)
      line.socket.destroy()
    }
    await allOver(app)
  })

  test('may come byte by byte', async () => {
    const { app, backend, port } = await listening()
    backend.automatic = true
    const line = await open(port, head(GENERATIONS, CHUNKED))
    for (const byte of '{"prompt":"a cat and \\"a dog\\""}') line.socket.write(chunk(byte))
    line.socket.write('0\r\n\r\n')
    await until(() => /^HTTP\/1\.1 200 /.test(line.text()))
    expect(backend.runs[0]!.work.options).toMatchObject({ prompt: 'a cat and "a dog"' })
    line.socket.destroy()
    await allOver(app)
  })
})

describe('a client that waits with its body', () => {
  const EXPECT = { expect: '100-continue' }

  test('is told to go on where nothing speaks against it', async () => {
    const { app, backend, port } = await listening()
    backend.automatic = true
    const line = await open(port, head(GENERATIONS, { 'content-length': 14, ...EXPECT }))
    await until(() => line.text() === 'HTTP/1.1 100 Continue\r\n\r\n')
    line.socket.write('{"prompt":"x"}')
    await until(() => /\r\n\r\nHTTP\/1\.1 200 /.test(line.text()))
    line.socket.destroy()
    await allOver(app)
  })

  test.each<[string, number, string, Record<string, string | number>]>([
    ['a body that is too large', 413, GENERATIONS, { 'content-length': 1e8, ...as('ann') }],
    ['no key', 401, GENERATIONS, { 'content-length': 14 }],
    ['no such address', 404, '/v1/nothing', { 'content-length': 14, ...as('ann') }]
  ])('gets the refusal at once where it has %s, and the connection ends', async (_, status, path, headers) => {
    const { app, port } = await listening({ apiKeys })
    const line = await open(port, head(path, { ...headers, ...EXPECT }))
    await line.closed
    expect(line.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\nconnection: close\r\n`, 'i'))
    await allOver(app)
  })
})

describe('what is held', () => {
  test('ends with the job, though its reply is read slowly', async () => {
    const { app, backend, port } = await listening()
    const image = Buffer.concat([await heartPicture(), Buffer.alloc(4 * MIB)])
    const line = await open(port, request(VARIATIONS, JSON.stringify({ image: image.toString('base64') })))
    await until(() => backend.runs.length === 1)
    expect(app.wuerstchen.held.bytes).toBe(image.length)
    line.socket.pause()
    const run = backend.runs.pop()!
    run.finish()
    await until(() => app.wuerstchen.held.bytes === 0)
    line.socket.destroy()
    await allOver(app)
  })

  test('is a reply until it has been sent, and a result is not given where there is no room for it', () =>
    withFakeServer(
      { limits: { maxHeldBytes: 200_000, maxHeldBytesPerKey: 100_000, maxBodyBytes: 50_000 } },
      async (app, backend) => {
        const made = await app.inject({ url: JOBS, ...json({ endpoint: GENERATIONS, body: { prompt: 'x', n: 1 } }) })
        const { id } = JSON.parse(made.body) as { id: string }
        await until(() => backend.runs.length === 1)
        const { finish, work } = backend.runs[0]!
        const result = resultOf(work)
        if (result.kind === 'images') result.images = [{ ...fakeImage(work, 0), file: Buffer.alloc(90_000) }]
        finish(result)
        await until(async () => (await app.wuerstchen.jobs.stats()).kept === 1)
        const url = `${JOBS}/${id}/result`
        const refused = await app.inject({ url })
        expect([refused.statusCode, codeOf(refused.body), refused.headers['retry-after']]).toEqual([429, 'queue_share_full', '5'])
        const bytes = await app.inject({ url, headers: { accept: 'image/png' } })
        expect([bytes.statusCode, bytes.rawPayload.length]).toEqual([200, 90_000])
        await until(() => app.wuerstchen.held.bytes === 0)
      }
    ))

  test('to listeners that do not read has room as everything has, however many listen to one job', async () => {
    const limits = { maxHeldBytes: 600_000, maxHeldBytesPerKey: 300_000, maxBodyBytes: 50_000 }
    const { app, backend, port } = await listening({ limits })
    const made = await app.inject({ url: JOBS, ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
    const { id } = JSON.parse(made.body) as { id: string }
    await until(() => backend.runs.length === 1)
    const listeners = await Promise.all(
      Array.from({ length: 5 }, () => open(port, `GET ${JOBS}/${id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n`))
    )
    await until(() => listeners.every(({ text }) => text().includes('"running"')))
    const { emit, finish, work } = backend.runs[0]!
    // 120 KB as base64: two of them have room.
    emit({ type: 'image', image: 0, result: { ...fakeImage(work, 0), file: Buffer.alloc(90_000) } })
    await until(() => listeners.every(({ text }) => /job\.image|event: error/.test(text())))
    const refused = listeners.filter(({ text }) => text().includes('"queue_share_full"'))
    expect(refused).toHaveLength(3)
    expect(app.wuerstchen.held.bytes).toBeLessThanOrEqual(300_000)
    expect(app.wuerstchen.held.bytes).toBeGreaterThan(240_000)
    finish()
    await until(() => app.wuerstchen.held.bytes === 0)
    await allOver(app)
  })
})
