import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { connect, loadDrivers } from '../../../lib/server/queue/drivers.js'
import { openQueue } from '../../../lib/server/queue/queue.js'
import { json } from '../fake-backend.js'
import { describeWithRedis, RedisServer } from '../../support/redis.js'
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
  'postgres://u:secret-word@h/d',
  'secret-word'
])('an address that cannot be used is not quoted: %s', async address => {
  expect(await failure(() => queueAddress(address))).not.toContain('secret-word')
})

describeWithRedis('the secret of a queue', () => {
  test('opens it, and is in no error when it is wrong', async () => {
    const redis = await RedisServer.start({ password: SECRET })
    try {
      const queue = await openQueue(queueAddress(redis.url), 'queue', 'prompt')
      await queue.close()
      const wrong = redis.url.replace(/:[^:@]*@/, ':wrong-secret@')
      const said = await failure(() => openQueue(queueAddress(wrong), 'queue', 'prompt'))
      expect(said).toContain(`127.0.0.1:${redis.port}`)
      expect(said).not.toContain('wrong-secret')
    } finally {
      await redis.stop()
    }
  })

  test('crosses the network in TLS where the address says so, and to nobody else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-tls-'))
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1']
    execFileSync('openssl', [...request, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], {
      stdio: 'ignore'
    })
    const hosts: HostProcess[] = []
    const redis = await RedisServer.start({
      ...{ scheme: 'rediss', password: SECRET },
      args: ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no']
    })
    try {
      const client = (address: string) => connect(drivers, queueAddress(address), 'prompt')
      const drivers = await loadDrivers()
      // Node does not know who signed it.
      const stranger = client(redis.url)
      const error = await new Promise<NodeJS.ErrnoException>(resolve => stranger.once('error', resolve))
      expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
      stranger.disconnect()
      // Processes that do know do their work: servers and workers, with all of their connections.
      const env = { NODE_EXTRA_CA_CERTS: cert }
      for (const role of ['server', 'worker'] as const) hosts.push(await HostProcess.start({ role, queue: redis.url }, env))
      const [{ address }] = hosts as [HostProcess]
      const request = json({ prompt: 'x' })
      const ask = () =>
        fetch(`${address}/v1/images/generations`, { ...request, body: JSON.stringify(request.payload) }).then(
          reply => reply.status
        )
      // Once the server knows of the worker.
      await eventually(async () => (await ask()) === 200)
    } finally {
      for (const host of hosts) await host.kill()
      await redis.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
