import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES, WuerstchenError } from '../../../lib/errors.js'
import { STATUSES } from '../../../lib/server/api/statuses.js'
import { ERROR_REPLY } from '../../../lib/server/api/replies.js'
import { root } from '../../support/small-model.js'
import { json, until, withFakeServer } from '../fake-backend.js'

const GENERATIONS = '/v1/images/generations'

describe('what cannot be used', () => {
  test.each<[string, object, number, string, string | null]>([
    ['an unknown field', { prompt: 'x', steps: 3 }, 400, 'unknown_parameter', 'steps'],
    ['a field of another type', { prompt: 7 }, 400, 'invalid_value', 'prompt'],
    ['a missing field', {}, 400, 'missing_required_parameter', 'prompt'],
    ['a number that is too large', { prompt: 'x', n: 11 }, 400, 'invalid_value', 'n'],
    ['a size that cannot be made', { prompt: 'x', size: '100x100' }, 400, 'invalid_value', 'size'],
    ['a size that is too large', { prompt: 'x', size: '2048x128' }, 400, 'invalid_value', 'size'],
    ['too many steps', { prompt: 'x', prior_steps: 101 }, 400, 'invalid_value', 'prior_steps'],
    ['a prompt that is too long', { prompt: 'x'.repeat(32_001) }, 400, 'invalid_value', 'prompt'],
    ['an unknown model', { prompt: 'x', model: 'gpt-image-1' }, 404, 'model_not_found', 'model'],
    ['links in a stream', { prompt: 'x', response_format: 'url', stream: true }, 400, 'invalid_value', 'response_format'],
    ['a transparent background', { prompt: 'x', background: 'transparent' }, 400, 'invalid_value', 'background'],
    ['a quality there is not', { prompt: 'x', quality: 'ultra' }, 400, 'invalid_value', 'quality'],
    ['a style there is not', { prompt: 'x', style: 'cubist' }, 400, 'invalid_value', 'style'],
    ['compression of a PNG', { prompt: 'x', output_compression: 50 }, 400, 'invalid_value', 'output_compression'],
    ['previews without a stream', { prompt: 'x', partial_images: 1 }, 400, 'invalid_value', 'partial_images'],
    ['four previews', { prompt: 'x', stream: true, partial_images: 4 }, 400, 'invalid_value', 'partial_images'],
    ['seeds beside a seed', { prompt: 'x', seeds: [1], seed: 1 }, 400, 'invalid_value', 'seeds'],
    ['a seed that is no whole number', { prompt: 'x', seed: 0.5 }, 400, 'invalid_value', 'seed'],
    ['a seed below -1', { prompt: 'x', seed: -2 }, 400, 'invalid_value', 'seed'],
    ['a list', [], 400, 'invalid_value', null]
  ])('%s is refused by name', (_, body, status, code, param) =>
    withFakeServer({}, async (app, { runs }) => {
      const reply = await app.inject({ url: GENERATIONS, ...json(body) })
      expect(reply.statusCode).toBe(status)
      expect(ERROR_REPLY.parse(reply.json()).error).toMatchObject({ type: 'invalid_request_error', code, param })
      expect(runs).toHaveLength(0)
    })
  )

  test.each<[string, string, string, string | undefined, string, number]>([
    ['another address', 'GET', '/v1/nothing', undefined, '', 404],
    ['another method', 'DELETE', GENERATIONS, undefined, '', 405],
    ['another content type', 'POST', GENERATIONS, 'text/plain', 'x', 415],
    ['another content type of XML', 'POST', GENERATIONS, 'application/xml', '<a/>', 415],
    ['a form where none is taken', 'POST', '/v1/jobs', 'multipart/form-data; boundary=b', '--b--', 415],
    ['JSON that is none', 'POST', GENERATIONS, 'application/json', '{"prompt":', 400],
    ['JSON with a prototype', 'POST', GENERATIONS, 'application/json', '{"prompt":"x","__proto__":{"n":1}}', 400],
    ['no body', 'POST', GENERATIONS, 'application/json', '', 400],
    ['a form without a boundary', 'POST', GENERATIONS, 'multipart/form-data', 'x', 400],
    [
      'a form that ends too soon',
      'POST',
      GENERATIONS,
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="prompt"\r\n\r\nx',
      400
    ],
    [
      'a form with a number that is none',
      'POST',
      GENERATIONS,
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="n"\r\n\r\ntwo\r\n--b--\r\n',
      400
    ],
    ['an address that cannot be read', 'GET', '/v1/jobs/%', undefined, '', 400],
    ['a job whose name is none', 'GET', '/v1/jobs/7', undefined, '', 400],
    ['an unknown job', 'GET', '/v1/jobs/00000000-0000-4000-8000-000000000000', undefined, '', 404],
    ['a page size of zero', 'GET', '/v1/jobs?limit=0', undefined, '', 400],
    ['an unknown query', 'GET', '/v1/jobs?owner=ann', undefined, '', 400]
  ])('%s is answered in the same form', (_, method, url, type, payload, status) =>
    withFakeServer({}, async app => {
      const reply = await app.inject({
        method: method as 'POST',
        url,
        payload,
        headers: type === undefined ? {} : { 'content-type': type }
      })
      expect(reply.statusCode).toBe(status)
      expect(reply.headers['content-type']).toContain('application/json')
      expect(ERROR_REPLY.parse(reply.json()).error.type).toBe('invalid_request_error')
    })
  )

  test('a body that is too large is refused by its length, before it has come', () =>
    withFakeServer({ limits: { maxBodyBytes: 2048 } }, async app => {
      const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x'.repeat(3000) }) })
      expect([reply.statusCode, ERROR_REPLY.parse(reply.json()).error.code]).toEqual([413, 'request_too_large'])
    }))

  test('bytes that are no HTTP lose their connection with an answer', () =>
    withFakeServer({}, async app => {
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      const answer = await new Promise<string>(resolve => {
        let text = ''
        const socket = connect(port, '127.0.0.1', () => socket.write('\x16\x03\x01 hello\r\n\r\n'))
        socket
          .on('data', chunk => {
            text += String(chunk)
          })
          .on('close', () => resolve(text))
      })
      const [head, body] = answer.split('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
      expect(ERROR_REPLY.parse(JSON.parse(body!)).error.code).toBe('malformed_request')
    }))
})

describe('what goes wrong behind the routes', () => {
  const SECRET = 'at /models/secret failed on cuda:0'

  test.each(ERROR_CODES)('%s has its status, and keeps to itself where things are', code =>
    withFakeServer({}, async (app, { runs }) => {
      const reply = app.inject({ url: GENERATIONS, ...json({ prompt: 'x' }) })
      await until(() => runs.length === 1)
      runs[0]!.fail(
        new WuerstchenError(code, code === 'INVALID_ARGUMENT' ? 'Expected a picture for image[0] but it is none' : SECRET, {
          subject: code === 'INVALID_ARGUMENT' ? 'image[0]' : SECRET
        })
      )
      const { statusCode, headers, body } = await reply
      const { status, retryAfter, says } = STATUSES[code]
      expect(statusCode).toBe(status)
      expect(headers['retry-after']).toBe(retryAfter?.toString())
      const { error } = ERROR_REPLY.parse(JSON.parse(body))
      expect([error.code, error.param]).toEqual([code.toLowerCase(), code === 'INVALID_ARGUMENT' ? 'image' : null])
      if (says !== undefined) expect(body).not.toContain('secret')
      else expect(['INVALID_ARGUMENT', 'QUEUE_FULL', 'TIMEOUT']).toContain(code)
    })
  )

  test.each([
    ['mask', 'mask'],
    ['seeds[2]', 'seeds'],
    ['priorGuidanceScale', 'prior_guidance_scale'],
    ['numImagesPerPrompt', 'n'],
    ['width', 'size'],
    ['image.data', 'image'],
    ['/models/secret/wuerstchen.json', null],
    ['C:\\models', null],
    [null, null]
  ])('an error about %s names the field %s, whatever its message says', (subject, param) =>
    withFakeServer({}, async (app, { runs }) => {
      const reply = app.inject({ url: GENERATIONS, ...json({ prompt: 'x' }) })
      await until(() => runs.length === 1)
      runs[0]!.fail(new WuerstchenError('INVALID_ARGUMENT', 'Expected a number for seed but received "x"', { subject }))
      expect((await reply).json().error).toMatchObject({ code: 'invalid_argument', param })
    })
  )

  test('anything else is a plain 500, and in the log', async () => {
    const lines: string[] = []
    await withFakeServer(
      {},
      async (app, { runs }) => {
        const reply = app.inject({
          url: GENERATIONS,
          ...json({ prompt: 'a private matter' }),
          headers: { 'content-type': 'application/json', 'x-request-id': 'abc-1' }
        })
        await until(() => runs.length === 1)
        runs[0]!.fail(new TypeError(SECRET))
        const { statusCode, body, headers } = await reply
        expect([statusCode, JSON.parse(body)]).toEqual([
          500,
          { error: { message: 'The server failed', type: 'server_error', param: null, code: 'internal' } }
        ])
        expect(headers['x-request-id']).toBe('abc-1')
      },
      {
        level: 'info',
        stream: {
          write: (line: string) => {
            lines.push(line)
          }
        }
      }
    )
    const line = (text: string) => lines.map(each => JSON.parse(each) as Record<string, unknown>).find(({ msg }) => msg === text)
    // Where it ran, the error itself; where it was asked for, the facts that came from there.
    const job = expect.any(String) as string
    expect(line('work failed')).toMatchObject({ level: 50, job, err: { type: 'TypeError', message: SECRET } })
    expect(line('request failed')).toMatchObject({
      level: 50,
      requestId: 'abc-1',
      job: line('work failed')!['job'],
      err: { code: 'INTERNAL', message: `TypeError: ${SECRET}` }
    })
    expect(lines.join('')).not.toContain('private')
  })

  test('every code and status is in the documentation', () => {
    const page = readFileSync(join(root, 'docs', 'server.md'), 'utf8')
    const rows = new Map([...page.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)]))
    expect(rows).toEqual(new Map(Object.entries(STATUSES).map(([code, { status }]) => [code, status])))
  })
})

describe('a request id', () => {
  test.each([
    ['sound.id_1-2', true],
    ['with space', false],
    ['', false],
    ['x'.repeat(129), false],
    ['läute', false]
  ])('%j is taken over: %s', (given, taken) =>
    withFakeServer({}, async app => {
      const id = (await app.inject({ url: '/livez', headers: { 'x-request-id': given } })).headers['x-request-id']
      expect(id === given).toBe(taken)
      expect(id).toMatch(/^[A-Za-z0-9._-]{1,128}$/)
    })
  )

  test('cannot break out of a log line', async () => {
    const lines: string[] = []
    await withFakeServer(
      {},
      async app => {
        await app.listen({ port: 0, host: '127.0.0.1' })
        const { port } = app.server.address() as AddressInfo
        await new Promise(resolve => {
          httpRequest(
            { port, path: '/v1/models?x=%0d%0a{"level":60}', headers: { 'x-request-id': 'a{"b":1}', 'user-agent': '"},\t{' } },
            reply => reply.resume().on('end', resolve)
          ).end()
        })
      },
      {
        level: 'trace',
        stream: {
          write: (line: string) => {
            lines.push(line)
          }
        }
      }
    )
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) {
      expect(line.trimEnd()).not.toContain('\n')
      expect(() => JSON.parse(line) as unknown).not.toThrow()
    }
  })
})
