import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { exitCodeOf, report } from '../../lib/cli/outcome.js'
import { createProgram } from '../../lib/cli/program.js'
import { placeOf, toPlace } from '../../lib/cli/serve-place.js'
import { runCommandLine } from '../support/child.js'
import { root, withDirectory } from '../support/small-model.js'

const tiny = join(root, 'models', 'tiny')
const tls = (name: string) => join(root, 'test', 'support', 'tls', name)

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

/** Runs `serve` in this process, where it must not start. */
async function refusal(args: readonly string[]): Promise<{ code: number; text: string }> {
  let text = ''
  vi.spyOn(process.stderr, 'write').mockImplementation(chunk => {
    text += String(chunk)
    return true
  })
  vi.spyOn(console, 'error').mockImplementation((line: string) => {
    text += `${line}\n`
  })
  const program = createProgram()
  try {
    await program.parseAsync(['serve', ...args], { from: 'user' })
  } catch (error) {
    if (text === '') report(error)
    return { code: exitCodeOf(error), text }
  }
  throw new Error('It started')
}

test('a server that does not start leaves no listeners of signals behind', async () => {
  const listeners = () => ['SIGINT', 'SIGTERM', 'SIGHUP'].map(name => process.listenerCount(name))
  const before = listeners()
  expect((await refusal(['--model', tiny, '--host', '0.0.0.0'])).code).toBe(2)
  expect(listeners()).toEqual(before)
})

describe('serve', () => {
  test.each([
    ['--port', '99999'],
    ['--port', '-1'],
    ['--port', 'abc'],
    ['--port', ''],
    ['--port', '1.5'],
    ['--port', '0x50'],
    ['--port', '1e3'],
    ['--host', ''],
    ['--host', '[::1'],
    ['--host', 'a b'],
    ['--host', 'nowhere.invalid', '--allow-unauthenticated'],
    ['--host', '192.0.2.1', '--allow-unauthenticated'],
    ['--host', '0.0.0.0'],
    ['--host', '::'],
    ['--listen', '8080'],
    ['--listen', ':8080'],
    ['--listen', '::1:8080'],
    ['--listen', 'localhost:99999'],
    ['--listen', 'tcp://localhost:1'],
    ['--listen', 'unix:'],
    ['--listen', `unix:${root}`],
    ['--listen', 'localhost:1', '--port', '2'],
    ['--listen', 'unix:/x', '--host', 'localhost'],
    ['--log-level', 'loud'],
    ['--tls-cert', tls('one.pem')],
    ['--tls-key', tls('one.key')],
    ['--tls-cert', tls('one.pem'), '--tls-key', tls('two.key')],
    ['--tls-cert', '/nowhere', '--tls-key', tls('one.key')],
    ['--trust-proxy', 'localhost'],
    ['--trust-proxy', '10.0.0.0/33'],
    ['--trust-proxy', ''],
    ['--trust-proxy', 'loopback,,unix'],
    ['--api-keys-file', '/nowhere'],
    ['--api-keys-file', '/dev/null'],
    ['--cors-origin', 'example.org'],
    ['--cors-origin', '*'],
    ['--cors-origin', 'https://example.org/path'],
    ['--cors-origin', 'null'],
    ['--idle-unload-seconds', '-1'],
    ['--grace-seconds', 'long'],
    ['--grace-seconds', '1.5'],
    ['--stall-seconds', '1e99'],
    ['--max-side', '0'],
    ['--max-queued', 'Infinity'],
    ['--device', 'gpu'],
    ['--device', 'cpu,gpu'],
    ['--device', 'prior=cpu'],
    ['--device', 'prior=cpu,decoder=gpu'],
    ['--dtype', 'int8'],
    ['--threads', '0'],
    ['--residency', 'some'],
    ['--max-batch', '0'],
    ['--model', 'a=x', '--model', 'a=y'],
    ['--model', '2=x', '--model', 'b=y'],
    ['--model', ''],
    ['--nonsense'],
    ['nonsense']
  ])('refuses %s %s with one line', async (...args) => {
    const { code, text } = await refusal(['--model', tiny, ...args])
    expect([code, text.trimEnd().split('\n').length], text).toEqual([2, 1])
    expect(text).not.toContain('node_modules')
  })

  test.each([
    ['WUERSTCHEN_PORT', 'abc'],
    ['WUERSTCHEN_PORT', '99999'],
    ['WUERSTCHEN_PORT', '-1'],
    ['WUERSTCHEN_PORT', 'http://localhost:1'],
    ['WUERSTCHEN_HOST', '0.0.0.0'],
    ['WUERSTCHEN_HOST', 'a b'],
    ['WUERSTCHEN_LOG_LEVEL', 'loud'],
    ['WUERSTCHEN_LOG_LEVEL', 'INFO'],
    ['WUERSTCHEN_API_KEYS', ' , '],
    ['WUERSTCHEN_API_KEYS', 'short'],
    ['WUERSTCHEN_DEVICE', 'gpu'],
    ['WUERSTCHEN_THREADS', 'many'],
    ['WUERSTCHEN_THREADS', '0']
  ])('refuses %s=%s with one line', async (name, value) => {
    vi.stubEnv(name, value)
    const { code, text } = await refusal(['--model', tiny])
    expect([code, text.trimEnd().split('\n').length], text).toEqual([2, 1])
  })

  test('takes flags before the environment, and the environment before its own places', () => {
    const warnings: string[] = []
    const place = (flags: Parameters<typeof placeOf>[0]) => placeOf(flags, message => warnings.push(message))
    expect(place({})).toEqual({ host: '127.0.0.1', port: 8080 })
    vi.stubEnv('WUERSTCHEN_HOST', '').stubEnv('WUERSTCHEN_PORT', '')
    expect(place({})).toEqual({ host: '127.0.0.1', port: 8080 })
    vi.stubEnv('WUERSTCHEN_HOST', '::1').stubEnv('WUERSTCHEN_PORT', '9000')
    expect(place({})).toEqual({ host: '::1', port: 9000 })
    expect(place({ port: 0 })).toEqual({ host: '::1', port: 0 })
    expect(place({ listen: { path: '/x' } })).toEqual({ path: '/x' })
    vi.stubEnv('WUERSTCHEN_PORT', 'abc')
    expect(place({ host: 'localhost', port: 1 })).toEqual({ host: 'localhost', port: 1 })
    expect(warnings).toEqual([])
    // What Kubernetes sets for a service of this name.
    vi.stubEnv('WUERSTCHEN_PORT', 'tcp://10.96.0.12:8080')
    expect(place({})).toEqual({ host: '::1', port: 8080 })
    expect(warnings).toEqual([expect.stringContaining('Kubernetes')])
  })

  test.each<[string, object]>([
    ['localhost:80', { host: 'localhost', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
    ['unix:/run/w.sock', { path: '/run/w.sock' }],
    ['unix:w:1', { path: 'w:1' }]
  ])('listens at %s', (text, place) => {
    expect(toPlace(text)).toEqual(place)
  })

  test('is the one command that reads its variables, and not for its help', async () => {
    const env = { WUERSTCHEN_PORT: 'abc', WUERSTCHEN_LOG_LEVEL: 'loud', WUERSTCHEN_HOST: 'a b', WUERSTCHEN_API_KEYS: ',' }
    for (const args of [['--help'], ['serve', '--help'], ['generate', '--help'], ['inspect', tiny]])
      expect(await runCommandLine(args, { env })).toMatchObject({ code: 0, stderr: '' })
  })

  test('starts at a unix socket though Kubernetes names a port, warns of both, and reads its keys again', () =>
    withDirectory(async directory => {
      const [keys, socket] = [join(directory, 'keys'), join(directory, 'w.sock')]
      writeFileSync(keys, 'ann:0123456789abcdef')
      const args = ['serve', '--listen', `unix:${socket}`, '--model', tiny, '--threads', '1', '--api-keys-file', keys]
      const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, WUERSTCHEN_PORT: 'tcp://10.96.0.12:8080' }
      })
      children.push(child)
      const ended = once(child, 'close')
      const seen: string[] = []
      const lines = createInterface({ input: child.stdout }).on('line', line => seen.push(line))
      const line = async (part: string) => {
        while (!seen.some(each => each.includes(part))) await once(lines, 'line')
      }
      const status = (key: string) =>
        new Promise(resolve => {
          const headers = { host: 'localhost', authorization: `Bearer ${key}` }
          request({ socketPath: socket, path: '/v1/models', headers, agent: false }, reply =>
            resolve(reply.resume().statusCode)
          ).end()
        })
      await line('listening')
      expect([await status('0123456789abcdef'), await status('fedcba9876543210')]).toEqual([200, 401])
      writeFileSync(keys, 'bob:sha256=12')
      child.kill('SIGHUP')
      await line('INVALID_ARGUMENT')
      expect(await status('0123456789abcdef')).toBe(200)
      writeFileSync(keys, 'bob:fedcba9876543210')
      child.kill('SIGHUP')
      await line('"keys":1')
      expect([await status('0123456789abcdef'), await status('fedcba9876543210')]).toEqual([401, 200])
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      expect(existsSync(socket)).toBe(false)
    }))
})
