import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request, type RequestOptions } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { reload } from '../../../lib/cli/reload.js'
import { createApp, startServer } from '../../../lib/server/http/app.js'
import { checkPlace, isLocalPlace, listenAt } from '../../../lib/server/http/place.js'
import { readIdentity } from '../../../lib/server/http/tls.js'
import { ApiKeys } from '../../../lib/server/keys/api-keys.js'
import { serverOptions, type ServerOptions } from '../../../lib/server/options.js'
import { root, withDirectory } from '../../support/small-model.js'
import { FakeBackend, tinyModel } from '../fake-backend.js'

/** A server on a fake backend; the caller closes it. */
const serverWith = (options: ServerOptions = {}, logger: object | false = false): Promise<{ app: FastifyInstance }> =>
  // Not the application itself: whoever awaits one waits until it is ready.
  createApp(serverOptions({ models: { tiny: tinyModel }, ...options }), logger as false, { backend: new FakeBackend() }).then(
    app => ({
      app
    })
  )

/**
 * A certificate and its key from test/support/tls, for the name localhost and a hundred years, in files that a test may change:
 *   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=NAME \
 *     -addext subjectAltName=DNS:localhost -keyout NAME.key -out NAME.pem
 * `weak` has 512 bits of RSA.
 */
function copyCertificate(directory: string, name: 'one' | 'two' | 'weak'): { cert: string; key: string } {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)]
  for (const file of [cert, key]) copyFileSync(join(root, 'test', 'support', 'tls', basename(file)), file)
  return { cert, key }
}

function get(port: number, options: RequestOptions): Promise<{ status: number; by: string; version: string | null }> {
  return new Promise((resolve, reject) => {
    request({ port, host: 'localhost', path: '/livez', agent: false, ...options }, reply => {
      const { socket } = reply as unknown as { socket: import('node:tls').TLSSocket }
      const facts = {
        status: reply.statusCode!,
        by: String(socket.getPeerCertificate().subject.CN),
        version: socket.getProtocol()
      }
      reply.resume().on('end', () => resolve(facts))
    })
      .on('error', reject)
      .end()
  })
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a certificate', () => {
  test('is used, with TLS 1.2 or later, and replaced while the server runs', () =>
    withDirectory(async directory => {
      const [one, two] = [copyCertificate(directory, 'one'), copyCertificate(directory, 'two')]
      const keyFile = join(directory, 'keys')
      writeFileSync(keyFile, 'ann:0123456789abcdef')
      const apiKeys = await ApiKeys.fromFile(keyFile)
      const { app } = await serverWith({ tls: one, apiKeys })
      await listenAt(app, { host: '127.0.0.1', port: 0 })
      const { port } = app.server.address() as AddressInfo
      const trusting = { ca: [readFileSync(one.cert), readFileSync(two.cert)] }
      expect(await get(port, trusting)).toEqual({ status: 200, by: 'one', version: 'TLSv1.3' })
      expect(await get(port, { ...trusting, maxVersion: 'TLSv1.2' })).toMatchObject({ version: 'TLSv1.2' })
      await expect(
        get(port, { ...trusting, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
      ).rejects.toThrow()
      await expect(
        new Promise((resolve, reject) => {
          httpRequest({ port, path: '/livez' }, resolve).on('error', reject).end()
        })
      ).rejects.toThrow()

      // All of it takes effect, or nothing does.
      const files = { cert: one.cert, key: one.key }
      writeFileSync(one.cert, readFileSync(two.cert))
      writeFileSync(keyFile, 'bob:fedcba9876543210')
      await expect(reload(app, apiKeys, files)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: one.key })
      expect([apiKeys.find('0123456789abcdef')?.name, (await get(port, trusting)).by]).toEqual(['ann', 'one'])
      writeFileSync(one.key, readFileSync(two.key))
      writeFileSync(keyFile, '')
      await expect(reload(app, apiKeys, files)).rejects.toMatchObject({ subject: keyFile })
      expect((await get(port, { ca: [...trusting.ca, readFileSync(two.cert)], rejectUnauthorized: false })).by).toBe('one')
      writeFileSync(keyFile, 'bob:fedcba9876543210')
      expect(await reload(app, apiKeys, files)).toMatchObject({ keys: 1, validTo: expect.any(String) })
      expect(apiKeys.find('0123456789abcdef')).toBeUndefined()
      expect((await get(port, { rejectUnauthorized: false })).by).toBe('two')
      await app.close()
    }))

  test('is refused where it cannot be used, and told of where nobody will take it', () =>
    withDirectory(async directory => {
      const [one, two] = [copyCertificate(directory, 'one'), copyCertificate(directory, 'two')]
      const weak = copyCertificate(directory, 'weak')
      const junk = join(directory, 'junk')
      writeFileSync(junk, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
      for (const [cert, key, subject] of [
        [one.cert, two.key, two.key],
        [one.key, one.cert, one.key],
        [one.cert, one.cert, one.cert],
        [junk, one.key, junk],
        [one.cert, junk, junk],
        ['/nowhere', one.key, '/nowhere'],
        [directory, one.key, directory],
        [weak.cert, weak.key, weak.cert]
      ] as const) {
        const error = (await serverWith({ tls: { cert, key } }).catch((reason: unknown) => reason)) as Error
        expect([cert, key, error]).toEqual([cert, key, expect.objectContaining({ code: 'INVALID_ARGUMENT', subject })])
        expect(error.message).not.toMatch(/PRIVATE|\n/)
      }
      expect((await readIdentity(one)).warning).toBeUndefined()
      vi.useFakeTimers({ toFake: ['Date'], now: new Date('2200-01-01') })
      expect((await readIdentity(one)).warning).toContain('expired')
      let lines = ''
      const stream = {
        write: (line: string) => {
          lines += line
        }
      }
      const { app } = await serverWith({ tls: one, apiKeys: ['0123456789abcdef'] }, { level: 'warn', stream })
      await app.close()
      expect(lines).toContain('The certificate expired on')
      vi.setSystemTime(new Date('2001-01-01'))
      expect((await readIdentity(one)).warning).toContain('not valid before')
    }))
})

describe('a unix socket', () => {
  const ask = (path: string, headers: Record<string, string> = { host: 'localhost' }): Promise<number> =>
    new Promise((resolve, reject) => {
      httpRequest({ socketPath: path, path: '/v1/models', headers, agent: false }, reply => resolve(reply.resume().statusCode!))
        .on('error', reject)
        .end()
    })

  test('is for its owner and its group, is this machine, and is gone when the server is', () =>
    withDirectory(async directory => {
      const path = join(directory, 'server.sock')
      const { app } = await serverWith()
      await listenAt(app, { path })
      expect((statSync(path).mode & 0o777).toString(8)).toBe('660')
      expect(await ask(path)).toBe(200)
      expect(await ask(path, { host: 'images.example.com' })).toBe(401)
      expect(await ask(path, { host: 'localhost', 'x-forwarded-for': '127.0.0.1' })).toBe(401)
      const { app: second } = await serverWith()
      await expect(listenAt(second, { path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
      await second.close()
      expect(await ask(path)).toBe(200)
      await app.close()
      expect(existsSync(path)).toBe(false)
    }))

  test('believes a proxy that connects to it where it is told so', () =>
    withDirectory(async directory => {
      const path = join(directory, 'server.sock')
      const { app } = await serverWith({ trustProxy: ['unix'] })
      await listenAt(app, { path })
      expect(await ask(path, { host: 'localhost', 'x-forwarded-for': '127.0.0.1' })).toBe(200)
      expect(await ask(path, { host: 'localhost', 'x-forwarded-for': '203.0.113.9' })).toBe(401)
      await app.close()
    }))

  test('that nobody listens at any more is replaced, and nothing else is', () =>
    withDirectory(async directory => {
      const path = join(directory, 'server.sock')
      const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
      await once(spawn(process.execPath, ['-e', script]), 'close')
      expect(existsSync(path)).toBe(true)
      const { app } = await serverWith()
      await listenAt(app, { path })
      expect(await ask(path)).toBe(200)
      await app.close()

      writeFileSync(path, 'a letter')
      const { app: second } = await serverWith()
      await expect(listenAt(second, { path })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'path' })
      await second.close()
      expect(readFileSync(path, 'utf8')).toBe('a letter')
    }))
})

describe('a place', () => {
  test.each<[object, string]>([
    [{ host: '', port: 1 }, 'host'],
    [{ host: 'a b', port: 1 }, 'host'],
    [{ host: 'http://localhost', port: 1 }, 'host'],
    [{ host: '[::1', port: 1 }, 'host'],
    [{ host: 7, port: 1 }, 'host'],
    [{ host: 'localhost', port: 65_536 }, 'port'],
    [{ host: 'localhost', port: -1 }, 'port'],
    [{ host: 'localhost', port: '80' }, 'port'],
    [{ path: '' }, 'path'],
    [{ path: 'x'.repeat(104) }, 'path'],
    [{ path: 7 }, 'path']
  ])('is refused: %j', (place, subject) => {
    expect(() => checkPlace(place as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', subject }) as Error)
  })

  test('of IPv6 may have brackets', async () => {
    expect(checkPlace({ host: '[::1]', port: 0 })).toEqual({ host: '::1', port: 0 })
    for (const host of ['::1', 'localhost', '127.0.0.1', '127.1.2.3']) expect(isLocalPlace({ host, port: 1 })).toBe(true)
    for (const host of ['::', '0.0.0.0', '10.0.0.1', 'example.org']) expect(isLocalPlace({ host, port: 1 })).toBe(false)
    expect(isLocalPlace({ path: '/x' })).toBe(true)
  })

  test.each(['192.0.2.1', 'nowhere.invalid', '2001:db8::1'])('elsewhere is told in one line: %s', async host => {
    const options = { models: { tiny: tinyModel }, apiKeys: ['0123456789abcdef'] }
    await expect(startServer(options, { host, port: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'host' })
  })

  test('that another has is told by the system’s error', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await expect(startServer({ models: { tiny: tinyModel } }, { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'EADDRINUSE'
    })
    other.close()
  })
})
