import { hostname } from 'node:os'
import { beforeEach, expect, test, vi } from 'vitest'
import { ERROR_CODES, WuerstchenError } from '../../../lib/errors.js'
import { root } from '../../support/small-model.js'
import { withListening, type Listening } from './support/listening.js'
import { MALFORMED } from './support/malformed.js'
import { exchange, seeded } from './support/raw.js'
import { SteppingEngine } from './support/stepping-engine.js'

const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))

beforeEach(() => {
  engine.failure = undefined
})

const PROMPT = 'a zebra that nobody may know of'
/** What a failing library says goes to the log of the server as it is, and to nobody else. */
const TOLD = 'the tale of an engine'
const SECRET = 'value-of-the-environment-4411'
const BREAK = '\r\n{"level":60,"msg":"forged"}\u2028\n'
const KEY = 'key-0123456789abcdef'

/** What an answer to somebody else must not have in it. */
const TELLTALES: readonly (RegExp | string)[] = [
  /(^|[^<\w/])\/(?:srv|home|root|usr|tmp|work|var|etc|opt)\//,
  /\bnode_modules\b/,
  /\.[cm]?[jt]s:\d+/,
  /(\n|\\n)\s+at \S/,
  /\b0x[0-9a-f]{6,}\b/i,
  'site-packages',
  /\.(so|pt|node)\b/,
  PROMPT,
  TOLD,
  SECRET,
  KEY,
  root,
  hostname().length > 3 ? hostname() : SECRET
]

const SAYS = `/srv/models/decoder.pt at 0x7ffdeadbeef0: ${SECRET}, ${TOLD}\n    at run (/srv/app/node_modules/x/y.js:10:20)`

function expectDiscreet(text: string, about: string): void {
  for (const telltale of TELLTALES)
    expect(text, `${about}: ${text.slice(0, 500)}`).not.toMatch(
      telltale instanceof RegExp ? telltale : new RegExp(telltale.replace(/[^\w]/g, '\\$&'))
    )
}

/** Fields that are wrong in a way that only one of the schema, the library and the decoder can tell. */
const WRONG: readonly [path: string, body: object][] = [
  ...[
    'n',
    'size',
    'seed',
    'seeds',
    'model',
    'priority',
    'timeout_seconds',
    'prior_steps',
    'prior_guidance_scale',
    'decoder_steps',
    'output_format',
    'output_compression',
    'background',
    'quality',
    'stream',
    'partial_images',
    'strength',
    SECRET.replaceAll('-', '_') + '0'
  ].flatMap(
    field =>
      [
        ['/v1/images/generations', { prompt: PROMPT, [field]: PROMPT }],
        ['/v1/images/generations', { prompt: PROMPT, [field]: { [PROMPT]: 1 } }]
      ] as [string, object][]
  ),
  ['/v1/images/generations', { prompt: PROMPT, user: PROMPT.repeat(20) }],
  ['/v1/images/generations', { prompt: PROMPT, negative_prompt: [PROMPT] }],
  ['/v1/images/generations', { prompt: [PROMPT] }],
  ['/v1/images/generations', { prompt: PROMPT.repeat(2000) }],
  ['/v1/images/generations', [PROMPT]],
  ['/v1/images/edits', { prompt: PROMPT }],
  ['/v1/images/edits', { prompt: PROMPT, image: '/etc/passwd' }],
  ['/v1/images/edits', { prompt: PROMPT, image: 'file:///etc/passwd' }],
  ['/v1/images/edits', { prompt: PROMPT, image: Buffer.from('\x89PNG\r\n\x1a\n/srv/', 'latin1').toString('base64') }],
  ['/v1/images/variations', { prompt: PROMPT, image: PROMPT }],
  ['/v1/image-embeddings', { prompt: PROMPT, image: PROMPT }],
  ['/v1/image-embeddings', {}],
  ['/v1/image-embeddings/decode', { embeddings: Buffer.from(PROMPT).toString('base64') }],
  ['/v1/image-embeddings/decode', { embeddings: '../../etc/passwd' }],
  ['/v1/jobs', { endpoint: PROMPT, body: {} }],
  ['/v1/jobs', { endpoint: '/v1/images/generations', body: { prompt: PROMPT, n: PROMPT } }],
  ['/v1/nothing', { prompt: PROMPT }]
]

async function withLog(body: (server: Listening) => Promise<void>): Promise<string[]> {
  const lines: string[] = []
  vi.stubEnv('WUERSTCHEN_TEST_SECRET', SECRET)
  await withListening(
    {
      apiKeys: [KEY],
      limits: { maxSide: 128, maxPromptLength: 10_000, maxBodyBytes: 65_536 },
      logger: {
        level: 'trace',
        stream: {
          write: (line: string) => {
            lines.push(line)
          }
        }
      }
    },
    body
  )
  vi.unstubAllEnvs()
  return lines
}

test('more than a hundred failures say nothing of this machine, of its secrets, or of what was asked for', async () => {
  let failures = 0
  const lines = await withLog(async server => {
    const ask = async (path: string, body: object, headers: Record<string, string> = {}) => {
      const reply = await fetch(server.url + path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers }
      })
      const text = await reply.text()
      expect(reply.ok, `${path} ${JSON.stringify(body).slice(0, 200)}`).toBe(false)
      failures++
      expectDiscreet(text + JSON.stringify([...reply.headers]), `${path} ${JSON.stringify(body).slice(0, 100)}`)
    }
    for (const [path, body] of WRONG) await ask(path, body)
    // What the library says of arguments, queues and time is meant for everybody's eyes; see lib/server/api/statuses.ts.
    const codes = ERROR_CODES.filter(code => !['INVALID_ARGUMENT', 'QUEUE_FULL', 'TIMEOUT'].includes(code))
    for (const failure of [
      ...codes.map(code => new WuerstchenError(code, SAYS, { subject: SAYS })),
      new TypeError(SAYS),
      Object.assign(new Error(SAYS), { statusCode: 400 }),
      Object.assign(new Error(SAYS), { statusCode: 503 }),
      SAYS,
      undefined
    ]) {
      engine.failure = failure ?? null
      await ask('/v1/images/generations', { prompt: PROMPT })
      await ask('/v1/image-embeddings', { prompt: PROMPT })
      const stream = await fetch(`${server.url}/v1/images/generations`, {
        method: 'POST',
        body: JSON.stringify({ prompt: PROMPT, stream: true }),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
      })
      const events = await stream.text()
      expect(events).toContain('event: error')
      expectDiscreet(events, 'a stream')
      const { headers } = await fetch(`${server.url}/v1/jobs`, {
        method: 'POST',
        body: JSON.stringify({ endpoint: '/v1/images/generations', body: { prompt: PROMPT } }),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
      })
      for (const path of ['', '/events', '/result']) {
        const job = await fetch(`${server.url}${headers.get('location')}${path}`, { headers: { authorization: `Bearer ${KEY}` } })
        expectDiscreet(await job.text(), `a job${path}`)
        failures++
      }
    }
    engine.failure = undefined
    for (const [kind, malformed] of Object.entries(MALFORMED)) {
      const { text } = await exchange(server.port, malformed(seeded(99)), async () => {
        await fetch(`${server.url}/livez`)
      })
      expectDiscreet(text, kind)
      failures++
    }
  })
  expect(failures).toBeGreaterThan(150)
  // The log is there, and knows more than clients do: a line for each request, and what the engine said.
  expect(lines.filter(line => line.includes('"route":"/v1/images/generations"')).length).toBeGreaterThan(50)
  expect(lines.filter(line => line.includes(TOLD)).length).toBeGreaterThan(10)
  for (const line of lines) {
    expect(line).not.toContain(PROMPT)
    expect(line).not.toContain(KEY)
  }
})

test('no header, prompt or name breaks out of its line in the log', async () => {
  const lines = await withLog(async server => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
    const post = (path: string, body: object) => fetch(server.url + path, { method: 'POST', body: JSON.stringify(body), headers })
    await post('/v1/images/generations', { prompt: BREAK, user: BREAK, prior_steps: 1 })
    await post('/v1/images/generations', { prompt: 'x', user: `${BREAK}\u001b[2J\0`, prior_steps: 1 })
    await post('/v1/images/generations', { prompt: 'x', [BREAK]: 1, user: BREAK })
    engine.failure = new Error(BREAK)
    await post('/v1/images/generations', { prompt: BREAK })
    engine.failure = undefined
    for (const id of ['a\tb', '{"a":1}', 'x"y', '\u00ff\u00fe']) {
      await exchange(server.port, [
        `GET /v1/models?${encodeURIComponent(BREAK)} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${id}\r\nUser-Agent: ${id}\r\nAuthorization: Bearer ${KEY}\r\nConnection: close\r\n\r\n`
      ])
    }
  })
  expect(lines.length).toBeGreaterThan(5)
  for (const line of lines) {
    expect(line.endsWith('\n')).toBe(true)
    expect(line.slice(0, -1)).not.toMatch(/[\r\n\0\u001b]/)
    expect((JSON.parse(line) as { level: number }).level).toBeLessThan(60)
  }
})
