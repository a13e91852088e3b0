import { expect, test, vi } from 'vitest'
import { withListening } from './support/listening.js'
import { exchange } from './support/raw.js'
import { SteppingEngine } from './support/stepping-engine.js'

const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native }))

const KEY = 'key-0123456789abcdef'
const PUBLIC = new Set(['/livez', '/readyz', '/openapi.json', '/'])
const JOB = '00000000-0000-4000-8000-000000000000'

/** Ways to write one address that some router, proxy or check takes for another. */
const spellings = (path: string): string[] => [
  path,
  `/${path}`,
  `//${path}`,
  `/.${path}`,
  `/x/..${path}`,
  `/v1/..${path}`,
  `/%2e%2e${path}`,
  `/.%2f${path.slice(1)}`,
  `${path}/`,
  `${path}//`,
  `${path}%2f`,
  `${path}/.`,
  `${path}/..${path}`,
  `${path};a=b`,
  `${path}%00`,
  `${path}%20`,
  `${path}.json`,
  `${path}?api_key=${KEY}`,
  `${path}?key=${KEY}&access_token=${KEY}`,
  `${path}?authorization=Bearer%20${KEY}`,
  `${path}#x`,
  path.toUpperCase(),
  path.replace('v1', 'V1'),
  path.replace(/[a-z]/g, letter => `%${letter.charCodeAt(0).toString(16)}`),
  path.replaceAll('/', '%2f'),
  path.replaceAll('/', '\\'),
  `http://localhost${path}`,
  `http://evil.example${path}`,
  `http://livez${path}`
]

/** Credentials that are none. */
const STRANGERS = [
  '',
  'Authorization: Bearer wrong-0123456789abcdef',
  `Authorization: Bearer ${KEY}x`,
  `Authorization: Bearer ${KEY.slice(0, -1)}`,
  `Authorization: Bearer ${KEY.toUpperCase()}`,
  `Authorization: Bearer "${KEY}"`,
  `Authorization: Bearer ${KEY},${KEY}`,
  `Authorization: Bearer  `,
  'Authorization: Bearer undefined',
  'Authorization: Bearer null',
  `Authorization: ${KEY}`,
  `Authorization: Basic ${Buffer.from(`:${KEY}`).toString('base64')}`,
  `Authorization: Token ${KEY}`,
  `Authorization: Bearer x\r\nAuthorization: Bearer ${KEY}`,
  `Proxy-Authorization: Bearer ${KEY}`,
  `X-Api-Key: ${KEY}`,
  `Api-Key: ${KEY}`,
  `Cookie: authorization=Bearer ${KEY}`,
  `X-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\nForwarded: for=127.0.0.1`,
  `X-Original-Url: /livez\r\nX-Rewrite-Url: /livez`,
  'X-Http-Method-Override: OPTIONS',
  'Origin: http://localhost',
  'Connection: authorization'
]

test(
  'no spelling, method or credential that is none opens a route',
  () =>
    withListening({ apiKeys: [`all:${KEY}:admin`], limits: { maxSide: 128 } }, async ({ app, port, url }) => {
      const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> }
      const guarded = Object.entries(paths).filter(([path]) => !PUBLIC.has(path))
      expect(guarded.length).toBeGreaterThan(8)
      const refusals = [400, 401, 403, 404, 405, 415, 501]
      const request = (method: string, target: string, header = '') => {
        const body = method === 'POST' ? '{"prompt":"x","prior_steps":1}' : ''
        return `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header === '' ? '' : `${header}\r\n`}${body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`}\r\n${body}`
      }
      const expectRefused = async (text: string) => {
        const { statuses, text: answer } = await exchange(port, [text])
        expect(statuses, `${text}\n${answer.slice(0, 300)}`).toHaveLength(1)
        expect(refusals, `${text}\n${answer.slice(0, 300)}`).toContain(statuses[0])
      }
      let checked = 0
      for (const [pattern, methods] of guarded) {
        const path = pattern.replace('{id}', JOB)
        for (const method of Object.keys(methods).map(name => name.toUpperCase())) {
          for (const header of STRANGERS) await expectRefused(request(method, path, header))
          for (const target of spellings(path)) await expectRefused(request(method, target))
          checked += STRANGERS.length + spellings(path).length
        }
        for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'get', 'PROPFIND'])
          await expectRefused(request(method, path))
      }
      expect(checked).toBeGreaterThan(400)
      // That it was not the requests that were at fault: with its key, every route is found.
      for (const [pattern, methods] of guarded) {
        for (const method of Object.keys(methods).map(name => name.toUpperCase())) {
          const { statuses } = await exchange(port, [
            request(method, pattern.replace('{id}', JOB), `authorization: bearer ${KEY}`)
          ])
          expect([401, 403, 405, 501]).not.toContain(statuses[0])
        }
      }
      // Nobody but the key had any work done: the pictures that it asked for, and the warm-up.
      expect(app.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, kept: 0 })
    }),
  120_000
)
