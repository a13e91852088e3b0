import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ioredis from 'ioredis'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { clientConfig } from '../../../lib/server/queue/postgres/pool.js'
import { connect } from '../../../lib/server/queue/redis/redis-connection.js'
import { openQueue } from '../../../lib/server/queue/queue.js'
import { json } from '../fake-backend.js'
import { describeOnQueues, PostgresServer, RedisServer, startQueue, type QueueServer } from '../../support/queues.js'
import { eventually } from './fleet.js'
import { HostProcess } from './processes.js'

const SECRET = 'p@ss/word:é'

const messagesOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return `${error.message} ${JSON.stringify(error)} ${error.stack} ${error.cause === undefined ? '' : messagesOf(error.cause)}`
}
const failure = async (act: () => unknown) => {
  try {
    await act()
  } catch (error) {
    return messagesOf(error)
  }
  throw new Error('It did not fail')
}

test.each([
  'redis://:secret-word@',
  'http://:secret-word@h',
  'redis://:secret-word@h/x',
  'postgres://u:secret-word@h',
  'postgres://u:secret-word@h/d?sslmode=no-verify',
  'postgres://u:secret-word@h/d?password=secret-word',
  'postgres://u:%zzsecret-word@h/d',
  'redis://:secret-word@h/0?family=6',
  'secret-word'
])('an address that cannot be used is not quoted: %s', async address => {
  expect(await failure(() => queueAddress(address))).not.toContain('secret-word')
})

test.each([
  [
    'postgres://a%40b:p%2Fw@[::1]:6000/d%20b',
    { host: '::1', port: 6000, user: 'a@b', password: 'p/w', database: 'd b', ssl: false }
  ],
  ['postgresql://h/d?sslmode=disable', { host: 'h', port: 5432, database: 'd', ssl: false }],
  ['postgres://h/d?sslmode=require', { ssl: { host: 'h' } }],
  ['postgres://h/d?sslmode=verify-full', { ssl: { host: 'h' } }]
])('an address of PostgreSQL, as its driver has it: %s', (address, expected) => {
  expect(clientConfig(queueAddress(address))).toMatchObject(expected)
})

describeOnQueues('the secret of a queue', kind => {
  test('opens it, and is in no error when it is wrong', async () => {
    const server = await startQueue(kind, { password: SECRET })
    try {
      const queue = await openQueue(queueAddress(server.url), 'queue', 'prompt')
      await queue.close()
      const wrong = server.url.replace(/:[^:@]*@/, ':wrong-secret@')
      const said = await failure(() => openQueue(queueAddress(wrong), 'queue', 'prompt'))
      expect(said).toContain(new URL(server.url).host)
      expect(said).toContain(kind === 'redis' ? '(WRONGPASS)' : '(28P01)')
      expect(said).not.toContain('wrong-secret')
    } finally {
      await server.stop()
    }
  })

  const startWithTls = (cert: string, key: string): Promise<QueueServer> =>
    kind === 'redis'
      ? RedisServer.start({
          ...{ scheme: 'rediss', password: SECRET },
          args: ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no']
        })
      : PostgresServer.start({ password: SECRET, tls: { cert, key } })
  /** What a process says that does not know who signed the certificate. */
  const strangerTo = async (url: string): Promise<string | undefined> => {
    if (kind === 'postgres') {
      const stranger = new Client(clientConfig(queueAddress(url)))
      return stranger.connect().then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error.code
      )
    }
    const stranger = connect(ioredis, queueAddress(url), 'prompt')
    const error = await new Promise<NodeJS.ErrnoException>(resolve => stranger.once('error', resolve))
    stranger.disconnect()
    return error.code
  }

  test('crosses the network in TLS where the address says so, and to nobody else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-tls-'))
    chmodSync(folder, 0o755)
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1']
    execFileSync('openssl', [...request, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], {
      stdio: 'ignore'
    })
    const hosts: HostProcess[] = []
    const queue = await startWithTls(cert, key)
    try {
      expect(await strangerTo(queue.url)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
      // Processes that do know do their work: servers and workers, with all of their connections.
      const env = { NODE_EXTRA_CA_CERTS: cert }
      for (const role of ['server', 'worker'] as const) hosts.push(await HostProcess.start({ role, queue: queue.url }, env))
      const [{ address }] = hosts as [HostProcess]
      const picture = json({ prompt: 'x' })
      const ask = () =>
        fetch(`${address}/v1/images/generations`, { ...picture, body: JSON.stringify(picture.payload) }).then(
          reply => reply.status
        )
      // Once the server knows of the worker.
      await eventually(async () => (await ask()) === 200)
    } finally {
      for (const host of hosts) await host.kill()
      await queue.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
