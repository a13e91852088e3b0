import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { root, withDirectory } from '../support/small-model.js'
import { runCommandLine } from '../support/child.js'

const tiny = join(root, 'models', 'tiny')
const main = join(root, 'dist', 'cli', 'main.js')

interface Line {
  msg: string
  [key: string]: unknown
}

const children: ChildProcess[] = []
// One that hangs would outlive a test that fails.
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Starts `serve` and waits until it listens. */
async function serve(args: readonly string[], node: readonly string[] = []) {
  const command = [...node, main, 'serve', '--port', '0', '--model', `tiny=${tiny}`, '--threads', '1', ...args]
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines: Line[] = []
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', text => {
      const line = JSON.parse(text) as Line
      lines.push(line)
      const [, found] = /listening at (\S+)/.exec(line.msg) ?? []
      if (found !== undefined) resolve(found)
    })
    void ended.then(([code]) => reject(new Error(`serve ended with ${code}`)))
  })
  return { child, address, lines, ended }
}

async function untilReady(address: string): Promise<void> {
  while ((await fetch(`${address}/readyz`)).status !== 200)
    await new Promise(resolve => {
      setTimeout(resolve, 50)
    })
}

describe('serve', () => {
  test('makes a picture with a key from a file, logs it, and ends with 0 when it is told to', () =>
    withDirectory(async directory => {
      const file = join(directory, 'keys')
      writeFileSync(file, '# keys\n\nann:0123456789abcdef\n')
      const { child, address, lines, ended } = await serve(['--api-keys-file', file, '--host', '127.0.0.1'])
      await untilReady(address)
      const call = (key: string) =>
        fetch(`${address}/v1/images/generations`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-request-id': 'mine' },
          body: JSON.stringify({ prompt: 'a secret', seed: 3, prior_steps: 2, decoder_steps: 1, user: 'eve' })
        })
      expect((await call('fedcba9876543210')).status).toBe(401)
      expect(await (await call('0123456789abcdef')).json()).toMatchObject({ model: 'tiny', data: [{ seed: 3 }] })
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      expect(lines.find(({ status }) => status === 200)).toMatchObject({
        requestId: 'mine',
        method: 'POST',
        route: '/v1/images/generations',
        key: 'ann',
        model: 'tiny',
        images: 1,
        user: 'eve'
      })
      expect(JSON.stringify(lines)).not.toMatch(/a secret|0123456789abcdef/)
    }))

  test('lets a running picture end before it does, and ends at once when it is told twice', async () => {
    const { child, address, ended } = await serve([])
    await untilReady(address)
    const generate = (steps: number) =>
      fetch(`${address}/v1/images/generations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: 'x', prior_steps: steps, decoder_steps: 2, n: 1 })
      })
    const running = async () => /^wuerstchen_images_running 1$/m.test(await (await fetch(`${address}/metrics`)).text())
    const reply = generate(100)
    while (!(await running()));
    child.kill('SIGTERM')
    expect((await reply).status).toBe(200)
    expect(await ended).toEqual([0, null])
    const second = await serve(['--max-images', '10'])
    await untilReady(second.address)
    const cut = expect(
      fetch(`${second.address}/v1/images/generations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: 'x', size: '512x512', prior_steps: 100, decoder_steps: 100, n: 8 })
      })
    ).rejects.toThrow()
    while (!/^wuerstchen_images_running 8$/m.test(await (await fetch(`${second.address}/metrics`)).text()));
    second.child.kill('SIGTERM')
    while (!second.lines.some(({ msg }) => msg === 'shutting down'))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    second.child.kill('SIGTERM')
    await cut
    expect(await second.ended).toEqual([130, null])
    // Two processes that load LibTorch and a picture of a hundred steps; only a hang takes so long.
  }, 300_000)

  const HUNG = [`--import=${join(root, 'test', 'support', 'hung-engine.mjs')}`]
  const post = (address: string, signal?: AbortSignal) =>
    fetch(`${address}/v1/images/generations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'x', prior_steps: 2, decoder_steps: 1 }),
      ...(signal === undefined ? {} : { signal })
    })

  test('ends with 70 by itself where its engine hangs and it was told to, and says why', async () => {
    const { address, lines, ended } = await serve(['--stall-seconds', '1', '--exit-on-stall'], HUNG)
    await untilReady(address)
    const begin = performance.now()
    // Its client has gone long before.
    await expect(post(address, AbortSignal.timeout(100))).rejects.toThrow()
    expect(await ended).toEqual([70, null])
    expect(performance.now() - begin).toBeGreaterThan(2000)
    expect(lines.filter(({ level }) => Number(level) >= 50)).toMatchObject([
      { level: 50, msg: 'work has stalled', model: 'tiny', stage: 'prior' },
      { level: 60, msg: 'nothing is finished any more: the process ends with exit code 70', model: 'tiny', stage: 'prior' }
    ])
  })

  test('ends with 70 too where its engine hangs while it ends', async () => {
    const { child, address, ended } = await serve(['--stall-seconds', '1', '--exit-on-stall', '--grace-seconds', '20'], HUNG)
    await untilReady(address)
    await expect(post(address, AbortSignal.timeout(100))).rejects.toThrow()
    child.kill('SIGTERM')
    expect(await ended).toEqual([70, null])
  })

  test('ends within its grace time and a second where its engine hangs, though it is told once', async () => {
    const { child, address, lines, ended } = await serve(['--grace-seconds', '2'], HUNG)
    await untilReady(address)
    const reply = post(address)
    while (!/^wuerstchen_images_running 1$/m.test(await (await fetch(`${address}/metrics`)).text()));
    const begin = performance.now()
    child.kill('SIGTERM')
    expect((await reply).status).toBe(503)
    expect(await ended).toEqual([70, null])
    // The process itself needs a moment to be seen as ended.
    expect(performance.now() - begin).toBeLessThan(3500)
    expect(lines.at(-1)).toMatchObject({ level: 50, graceSeconds: 2 })
  })

  test('reads its keys again on SIGHUP, keeps the old ones where the new ones are broken, and goes on', () =>
    withDirectory(async directory => {
      const file = join(directory, 'keys')
      const [first, second] = ['0123456789abcdef', 'fedcba9876543210']
      writeFileSync(file, `ann:${first}\n`)
      const { child, address, lines, ended } = await serve(['--api-keys-file', file])
      const list = (key: string) => fetch(`${address}/v1/jobs`, { headers: { authorization: `Bearer ${key}` } })
      const make = await fetch(`${address}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${first}` },
        body: '{"endpoint":"/v1/images/generations","body":{"prompt":"x","prior_steps":1,"decoder_steps":1}}'
      })
      expect(make.status).toBe(202)
      const hangUp = async (text: string, message: string) => {
        writeFileSync(file, text)
        const seen = lines.length
        child.kill('SIGHUP')
        while (!lines.slice(seen).some(({ msg }) => msg.includes(message)))
          await new Promise(resolve => {
            setTimeout(resolve, 10)
          })
      }
      await hangUp(`ann:${second}\n`, 'were read again')
      expect((await list(first)).status).toBe(401)
      expect(((await (await list(second)).json()) as { data: unknown[] }).data).toHaveLength(1)
      for (const broken of ['# nothing\n', 'ann:short\n', `ann:${first}\nann:${second}\n`]) {
        await hangUp(broken, 'cannot be read again')
        expect([(await list(first)).status, (await list(second)).status]).toEqual([401, 200])
      }
      expect(JSON.stringify(lines)).not.toMatch(new RegExp(`${first}|${second}`))
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    }))

  test('ends while its model is still being loaded', async () => {
    const { child, ended } = await serve(['--grace-seconds', '1'])
    const begin = performance.now()
    child.kill('SIGTERM')
    expect((await ended)[0]).toBe(0)
    // LibTorch is opened in one go, which takes seconds on a busy machine.
    expect(performance.now() - begin).toBeLessThan(30_000)
  })

  test('ends at once when it is told twice, though its engine hangs', async () => {
    const { child, address, lines, ended } = await serve([], HUNG)
    await untilReady(address)
    const reply = expect(post(address)).rejects.toThrow()
    while (!/^wuerstchen_images_running 1$/m.test(await (await fetch(`${address}/metrics`)).text()));
    child.kill('SIGTERM')
    while (!lines.some(({ msg }) => msg === 'shutting down'))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    child.kill('SIGTERM')
    expect(await ended).toEqual([130, null])
    await reply
  })

  test.each<[string, string[], NodeJS.ProcessEnv, string]>([
    ['an address beyond this machine without keys', ['--host', '0.0.0.0'], {}, 'there are no API keys'],
    ['a limit out of its range', ['--max-side', '0'], {}, 'limits.maxSide'],
    ['a log level there is not', ['--log-level', 'loud'], {}, 'loud'],
    ['a file of keys there is not', ['--api-keys-file', '/nowhere'], {}, 'API keys at /nowhere'],
    ['keys in the environment that are none', [], { WUERSTCHEN_API_KEYS: 'short' }, 'API key 1'],
    ['another name of no model', ['--alias', 'other=nothing'], {}, 'aliases.other'],
    ['another name without a model', ['--alias', 'other'], {}, '--alias'],
    ['a public address that is none', ['--public-url', 'draw.example'], {}, 'publicUrl'],
    ['a secret that is too short', [], { WUERSTCHEN_URL_SECRET: 'short' }, 'urlSecret'],
    ['a model directory there is not', ['--model', '/nowhere'], {}, 'MODEL_NOT_FOUND']
  ])('refuses %s', async (what, args, env, message) => {
    const { code, stderr } = await runCommandLine(['serve', '--port', '0', ...args], { env })
    expect(stderr).toContain(message)
    expect(code).toBe(what.startsWith('a model') ? 1 : 2)
  })
})

test('the package alone loads no HTTP server', async () => {
  const script = `import ${JSON.stringify(join(root, 'dist', 'index.js'))}
import { createRequire } from 'node:module'
const loaded = Object.keys(createRequire(import.meta.url).cache).concat(process.moduleLoadList ?? [])
process.stdout.write(String(loaded.some(name => name.includes('fastify'))))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += String(chunk)
  })
  await once(child, 'close')
  expect(output).toBe('false')
})
