import { createHmac } from 'node:crypto'
import type { lookup } from 'node:dns'
import { createServer as serveHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as serveTcp, type AddressInfo, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { Job } from '../../../lib/server/jobs/job.js'
import type { Outcome } from '../../../lib/server/jobs/store.js'
import { AllowList } from '../../../lib/server/webhooks/allow-list.js'
import type { WebhookOptions } from '../../../lib/server/webhooks/courier.js'
import { MOST_ATTEMPTS } from '../../../lib/server/webhooks/retry.js'
import { WebhookSender } from '../../../lib/server/webhooks/sender.js'
import { resultOf, until } from '../fake-backend.js'
import { generate } from '../jobs/store-setup.js'

const KEY = Buffer.alloc(32, 1)
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Received {
  headers: IncomingMessage['headers']
  body: string
  at: number
}

/** A receiver, and what it got. */
async function receiver(answer: (reply: ServerResponse, count: number, request: IncomingMessage) => unknown) {
  const received: Received[] = []
  const server = serveHttp((request, reply) => {
    const chunks: Buffer[] = []
    request
      .on('data', chunk => chunks.push(chunk))
      .on('end', () => {
        received.push({ headers: request.headers, body: Buffer.concat(chunks).toString(), at: performance.now() })
        answer(reply, received.length, request)
      })
  })
  const port = await listen(server)
  return { received, server, port, url: `http://127.0.0.1:${port}/hook?secret=s3cr3t` }
}

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function sender(allow: string[], more: Partial<WebhookOptions> = {}) {
  const logged: [object, string][] = []
  const log = { warn: (...line: [object, string]) => logged.push(line), debug: (...line: [object, string]) => logged.push(line) }
  const webhooks = new WebhookSender({ allow: new AllowList(allow), keys: [KEY], retryMs: 5, ...more }, log)
  return {
    webhooks,
    logged,
    lost: () => logged.filter(([, text]) => text === 'a webhook was not delivered').map(([facts]) => facts)
  }
}

const SUCCEEDED: Outcome = { state: 'succeeded', result: resultOf(generate()) }
function ended(webhookUrl: string, outcome = SUCCEEDED) {
  const job = new Job(generate(), { owner: 'ann', priority: 0, timeoutMs: 1000, keep: true, webhookUrl }, 1000)
  job.start()
  job.end(outcome, 1000)
  return job.view(null)
}

const ok = (reply: ServerResponse) => reply.end()

describe('a webhook', () => {
  test.each([
    [SUCCEEDED, 'job.succeeded', null],
    [{ state: 'failed', error: { code: 'NOT_FINITE', message: '/secret/path', subject: null } }, 'job.failed', 'not_finite'],
    [{ state: 'cancelled', error: { code: 'job_cancelled', message: 'm', subject: null } }, 'job.cancelled', 'job_cancelled']
  ] as [Outcome, string, string | null][])('says how the job ended, signed: %j', async (outcome, type, code) => {
    const { received, url, port } = await receiver(ok)
    const { webhooks, logged } = sender([`http://127.0.0.1:${port}`])
    const view = ended(url, outcome)
    webhooks.ended(view)
    await until(() => received.length === 1)
    const [{ headers, body }] = received as [Received]
    const message = JSON.parse(body) as { type: string; timestamp: string; data: { id: string; error: { code: string } | null } }
    expect([message.type, message.data.id, message.data.error?.code ?? null]).toEqual([type, view.id, code])
    expect(Date.parse(message.timestamp)).toBe(view.endedAt)
    // The status says it all: neither images nor what only the log may have.
    expect(body).not.toContain('b64_json')
    expect(body).not.toContain('/secret/path')
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60)
    expect(signature).toBe(
      `v1,${createHmac('sha256', KEY)
        .update(`${String(id)}.${String(timestamp)}.${body}`)
        .digest('base64')}`
    )
    await until(() => logged.length === 1)
    expect(JSON.stringify(logged)).not.toContain('s3cr3t')
  })

  test('is sent again after failures, by the same id and with pauses that grow, until it arrives', async () => {
    const { received, url, port } = await receiver((reply, count) => reply.writeHead([500, 404, 302, 204][count - 1]!).end())
    const { webhooks, lost } = sender([`http://127.0.0.1:${port}`], { retryMs: 20 })
    webhooks.ended(ended(url))
    await until(() => received.length === 4)
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    const pauses = received.slice(1).map(({ at }, index) => at - received[index]!.at)
    for (const [index, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(20 * 4 ** index * 0.5 - 2)
    await webhooks.close()
    expect(lost()).toEqual([])
  })

  test('is given up after its attempts, or when the receiver says that it is gone, and the log says so', async () => {
    const failing = await receiver(reply => reply.writeHead(503).end())
    const gone = await receiver(reply => reply.writeHead(410).end())
    const { webhooks, lost } = sender(
      [failing, gone].map(({ port }) => `http://127.0.0.1:${port}`),
      { retryMs: 0.1 }
    )
    webhooks.ended(ended(failing.url))
    webhooks.ended(ended(gone.url))
    await until(() => lost().length === 2)
    expect([failing.received.length, gone.received.length]).toEqual([MOST_ATTEMPTS, 1])
    expect(lost()).toMatchObject([
      { attempts: 1, reason: 410 },
      { attempts: MOST_ATTEMPTS, reason: 503 }
    ])
  })

  test('follows no redirect', async () => {
    const inner = await receiver(ok)
    const { received, url, port } = await receiver(reply => reply.writeHead(307, { location: inner.url }).end())
    const { webhooks } = sender([`http://127.0.0.1:${port}`, `http://127.0.0.1:${inner.port}`], { retryMs: 0.1 })
    webhooks.ended(ended(url))
    await until(() => received.length === MOST_ATTEMPTS)
    expect(inner.received).toEqual([])
  })

  test('does not wait for receivers that do not answer, or not to the end', async () => {
    const silent = await receiver(() => {})
    const endless = await receiver(reply => {
      const more = () => {
        while (!reply.destroyed && reply.write(Buffer.alloc(16_384)));
        if (!reply.destroyed) reply.once('drain', more)
      }
      reply.writeHead(200)
      more()
    })
    const dripping = await receiver(reply => {
      reply.writeHead(200).write('x')
    })
    const garbage = serveTcp(socket => socket.on('error', () => {}).end('HTTP/9 what\r\n\r\n'))
    const upgrading = serveTcp(socket =>
      socket.on('error', () => {}).write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')
    )
    const flooding = serveTcp(socket => socket.on('error', () => {}).write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`))
    const ports = [silent.port, endless.port, dripping.port]
    for (const server of [garbage, upgrading, flooding]) ports.push(await listen(server))
    const { webhooks, lost, logged } = sender(
      ports.map(port => `http://127.0.0.1:${port}`),
      { retryMs: 0.1, attemptMs: 300 }
    )
    for (const port of ports) webhooks.ended(ended(`http://127.0.0.1:${port}/`))
    // The endless and the dripping one have said 200 before.
    await until(() => lost().length === 4 && logged.filter(([, text]) => text === 'a webhook was delivered').length === 2)
    for (const server of servers) (server as ReturnType<typeof serveHttp>).closeAllConnections?.()
  })

  test('is logged when it is not delivered before the server ends, and the end is not held up', async () => {
    const silent = await receiver(() => {})
    const failing = await receiver(reply => reply.writeHead(500).end())
    const { webhooks, lost } = sender(
      [silent, failing].map(({ port }) => `http://127.0.0.1:${port}`),
      { retryMs: 60_000 }
    )
    webhooks.ended(ended(failing.url))
    await until(() => failing.received.length === 1)
    // More than are on their way at once.
    for (let count = 0; count < 10; count++) webhooks.ended(ended(silent.url))
    await until(() => silent.received.length === 4)
    const started = performance.now()
    await webhooks.close()
    expect(performance.now() - started).toBeLessThan(5000)
    expect(lost()).toHaveLength(11)
    silent.server.closeAllConnections()
  })

  test('of others goes on while one receiver does not answer', async () => {
    const silent = await receiver(() => {})
    const { received, url, port } = await receiver(ok)
    const { webhooks } = sender([silent.port, port].map(each => `http://127.0.0.1:${each}`))
    for (let count = 0; count < 50; count++) webhooks.ended(ended(silent.url))
    webhooks.ended(ended(url))
    await until(() => received.length === 1)
    silent.server.closeAllConnections()
    await webhooks.close()
  })
})

/** Names resolve to what the test says, one answer after the other. */
function names(...answers: string[][]): typeof lookup {
  let count = 0
  return ((_name: string, _options: object, callback: (error: null, addresses: object[]) => void) => {
    const addresses = answers[Math.min(count++, answers.length - 1)]!
    callback(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
    )
  }) as never
}

describe('no connection is opened', () => {
  test.each([
    ['a name of this machine', [['127.0.0.1']]],
    ['a name of this machine by IPv6', [['::1']]],
    ['a name of this machine by a mapped address', [['::ffff:127.0.0.1']]],
    ['a name of this machine by NAT64', [['64:ff9b::7f00:1']]],
    ["a cloud's metadata", [['169.254.169.254']]],
    ['a private network', [['10.0.0.1', '192.168.0.1', 'fd00::1']]],
    ['a name without addresses', [[]]]
  ] as [string, string[][]][])('to %s', async (_, answers) => {
    const { received, server, port } = await receiver(ok)
    let connections = 0
    server.on('connection', () => connections++)
    const { webhooks, lost } = sender([`http://hooks.example.com:${port}`], { lookUp: names(...answers), retryMs: 0.1 })
    webhooks.ended(ended(`http://hooks.example.com:${port}/`))
    await until(() => lost().length === 1)
    expect([connections, received.length, lost()]).toMatchObject([0, 0, [{ reason: 'FORBIDDEN_ADDRESS' }]])
  })

  test('to a private address beside a public one, or after one (DNS rebinding)', async () => {
    const { received, server, port } = await receiver(ok)
    let connections = 0
    server.on('connection', () => connections++)
    // 192.0.2.1 is for documentation, and here listed as if it were public: nobody answers there.
    const { webhooks, lost } = sender([`http://hooks.example.com:${port}`, '192.0.2.1/32'], {
      lookUp: names(['192.0.2.1', '127.0.0.1'], ['127.0.0.1']),
      retryMs: 0.1,
      attemptMs: 100
    })
    webhooks.ended(ended(`http://hooks.example.com:${port}/`))
    await until(() => lost().length === 1)
    expect([connections, received.length]).toEqual([0, 0])
  })

  test('to an address that the name of the list has by now, but to one that is listed', async () => {
    const { received, port } = await receiver(ok)
    const { webhooks } = sender([`http://hooks.example.com:${port}`, '127.0.0.0/8'], { lookUp: names(['10.0.0.1', '127.0.0.1']) })
    webhooks.ended(ended(`http://hooks.example.com:${port}/`))
    await until(() => received.length === 1)
    expect(received[0]!.headers.host).toBe(`hooks.example.com:${port}`)
  })

  test("a name that is longer than names in DNS can be is nobody's", () => {
    const allow = new AllowList(['*.example.org'])
    const named = (letters: number) => `https://${'a'.repeat(letters)}.example.org/`
    expect([named(241), named(242)].map(url => allow.accept(url) !== undefined)).toEqual([true, false])
    // Short as it is written, long as it is asked for.
    expect(allow.accept(`https://${'ü.'.repeat(60)}example.org/`)).toBeUndefined()
  })

  test('without TLS where the list has the host with it, and not with a certificate that nobody vouches for', async () => {
    const { received, port } = await receiver(ok)
    const { webhooks, lost } = sender([`https://127.0.0.1:${port}`], { retryMs: 0.1 })
    expect(new AllowList([`https://127.0.0.1:${port}`]).accept(`http://127.0.0.1:${port}`)).toBeUndefined()
    webhooks.ended(ended(`https://127.0.0.1:${port}/`))
    await until(() => lost().length === 1)
    expect(received).toEqual([])
  })
})
