import { expect, test, vi } from 'vitest'
import { routesOf } from '../route-table.js'
import { untilJobs } from './support/idle.js'
import { withListening } from './support/listening.js'
import { exchange } from './support/raw.js'
import { SteppingEngine } from './support/stepping-engine.js'

const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))

const KEY = 'key-0123456789abcdef'
const [OTHER, ADMIN] = ['other-0123456789abcdef', 'admin-0123456789abcdef']
const PUBLIC = new Set(['/livez', '/readyz', '/openapi.json', '/', '/page/:part', '/page/:part/:file', '/v1/results/:id/:index'])
/**
 * What an answer to a stranger may be. None of them is said by a route: it would have looked at the request before its caller.
 */
const REFUSALS = {
  401: ['invalid_api_key'],
  404: ['unknown_url'],
  405: ['method_not_allowed'],
  400: ['bad_request', 'malformed_request']
}

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

const PASSWORD = `Authorization: Basic ${Buffer.from(`:${KEY}`).toString('base64')}`

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
  PASSWORD,
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

test('no spelling, method or credential that is none opens a route', { timeout: 120_000 }, () =>
  withListening(
    { apiKeys: [`mine:${KEY}`, `other:${OTHER}`, `ops:${ADMIN}:admin`], limits: { maxSide: 128 } },
    async ({ app, port, url }) => {
      // The router itself is asked, for a route may be left out of every document.
      const guarded = new Map<string, string[]>()
      for (const route of routesOf(app)) {
        const [method, pattern] = route.split(' ') as [string, string]
        if (PUBLIC.has(pattern) || method === 'HEAD') continue
        guarded.set(pattern, [...(guarded.get(pattern) ?? []), method])
      }
      expect(guarded.size).toBeGreaterThan(8)
      const request = (method: string, target: string, header = '') => {
        const body = method === 'POST' ? '{"prompt":"x","prior_steps":1}' : ''
        return `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header === '' ? '' : `${header}\r\n`}${body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`}\r\n${body}`
      }
      const ask = async (text: string) => {
        const { statuses, text: answer } = await exchange(port, [text])
        expect(statuses, `${text}\n${answer.slice(0, 300)}`).toHaveLength(1)
        return {
          status: statuses[0]!,
          code: /"(?:code|error)":"(\w+)"/.exec(answer)?.[1],
          about: `${text}\n${answer.slice(-300)}`
        }
      }
      /** Where the address is a route's own, the key is what is asked for, and nothing else. */
      const expectAskedForKey = async (text: string) => {
        const { status, code, about } = await ask(text)
        expect([status, code], about).toEqual([401, 'invalid_api_key'])
      }
      const expectRefused = async (text: string) => {
        const { status, code, about } = await ask(text)
        expect(Object.keys(REFUSALS).map(Number), about).toContain(status)
        expect(REFUSALS[status as keyof typeof REFUSALS], about).toContain(code)
      }
      // A job that is there: what a stranger may not see is not what does not exist.
      const kept = await fetch(`${url}/v1/jobs`, {
        method: 'POST',
        body: JSON.stringify({ endpoint: '/v1/images/generations', body: { prompt: 'x', prior_steps: 1, decoder_steps: 1 } }),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
      })
      const job = kept.headers.get('location')!.split('/').at(-1)!
      await untilJobs(app)

      const addressOf = (pattern: string) =>
        pattern.replace('/models/:id', '/models/small').replace(':id', job).replace(':index', '0')
      for (const [pattern, methods] of guarded) {
        const path = addressOf(pattern)
        for (const method of methods) {
          // Only clients of stable-diffusion-webui send a key as a password.
          const strangers = STRANGERS.filter(header => !path.startsWith('/sdapi/') || header !== PASSWORD)
          for (const header of strangers) await expectAskedForKey(request(method, path, header))
          for (const target of spellings(path)) await expectRefused(request(method, target))
        }
        for (const method of ['OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'get', 'PROPFIND'])
          await expectRefused(request(method, path))
        // An answer to HEAD has no body that could say why.
        expect([401, 405]).toContain((await ask(request('HEAD', path))).status)
      }
      // Nobody but the key had any work done, or undone: its job is still there, and nothing else ever was.
      expect(await app.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, kept: 1 })
      expect(await app.wuerstchen.jobs.get(job)).toMatchObject({ state: 'succeeded' })
      // Another key is nobody to this job, and none for administration is nobody to what is for that.
      for (const [pattern, methods] of guarded) {
        for (const method of methods) {
          const path = addressOf(pattern)
          const { status, code, about } = await ask(request(method, path, `authorization: bearer ${OTHER}`))
          if (path.includes(job)) expect([status, code], about).toEqual([404, 'job_not_found'])
          else if (pattern === '/metrics') expect([status, code], about).toEqual([403, 'insufficient_scope'])
          else expect([401, 403, 404, 405], about).not.toContain(status)
        }
      }
      await untilJobs(app)
      expect(await app.wuerstchen.jobs.get(job)).toMatchObject({ state: 'succeeded' })
      // That it was not the requests that were at fault: with its key, every route is found.
      for (const [pattern, methods] of guarded) {
        for (const method of methods) {
          const { status, code, about } = await ask(request(method, addressOf(pattern), `authorization: bearer ${ADMIN}`))
          expect([401, 403, 405, 501], about).not.toContain(status)
          expect(code, about).not.toBe('unknown_url')
        }
      }
    }
  )
)
