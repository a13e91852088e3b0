import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import sharp from 'sharp'
import { describe, expect, test, vi } from 'vitest'
import { addServe } from '../../lib/cli/serve.js'
import { createServer } from '../../lib/server/index.js'
import { LIMITS } from '../../lib/server/limits.js'
import { CHANNELS } from '../../lib/server/observe/channels.js'
import { has } from '../support/programs.mjs'
import { root, withDirectory } from '../support/small-model.js'
import { tinyModel, withFakeServer } from './fake-backend.js'

const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')

describe('the documentation', () => {
  test('has every limit with its default', () => {
    const rows = [...page('settings.md').matchAll(/^\| `(\w+)` \| ([\d,]+)( MiB)? \| ([a-z].*) \|$/gm)]
    const documented = Object.fromEntries(
      rows.map(([, name, value, unit, text]) => [
        name,
        [Number(value!.replaceAll(',', '')) * (unit === undefined ? 1 : 1024 * 1024), text]
      ])
    )
    expect(documented).toEqual(
      Object.fromEntries(Object.entries(LIMITS).map(([name, { fallback, text }]) => [name, [fallback, text]]))
    )
  })

  test('has every flag of serve', () => {
    const command = new Command()
    addServe(command)
    const limits = Object.keys(LIMITS)
    const flags = command.commands[0]!.options.filter(option => !limits.includes(option.attributeName())).map(({ long }) => long!)
    const documented = [...page('settings.md').matchAll(/`(--[a-z-]+)[ `]/g)].map(([, flag]) => flag!)
    expect(flags.length).toBeGreaterThan(20)
    expect(flags.filter(flag => !documented.includes(flag))).toEqual([])
  })

  test('has a receiver of webhooks that believes only what was signed with the secret, and lately', async () => {
    const [, code] = /```js\n(import \{ createHmac.*?)```/s.exec(page('jobs.md'))!
    const { isGenuine } = (await import(`data:text/javascript,${encodeURIComponent(code!)}`)) as {
      isGenuine: (headers: object, body: string, secret: string) => boolean
    }
    // The test vector of the reference implementation's own tests (standard-webhooks, "sign function works").
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const body = '{"test": 2432232314}'
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    }
    vi.setSystemTime(1_614_265_330_000)
    try {
      expect(isGenuine(headers, body, secret)).toBe(true)
      expect(isGenuine(headers, `${body} `, secret)).toBe(false)
      expect(isGenuine({ ...headers, 'webhook-id': 'msg_other' }, body, secret)).toBe(false)
      expect(isGenuine(headers, body, `whsec_${Buffer.alloc(24).toString('base64')}`)).toBe(false)
      expect(isGenuine({}, body, secret)).toBe(false)
      vi.setSystemTime(1_614_265_330_000 + 301_000)
      expect(isGenuine(headers, body, secret)).toBe(false)
    } finally {
      vi.useRealTimers()
    }
  })

  test('has every channel', () => {
    const documented = [...page('monitoring.md').matchAll(/^\| `(wuerstchen\.[a-z.]+)` \|/gm)].map(([, name]) => name)
    expect(documented).toEqual(Object.values(CHANNELS))
  })

  test('has every metric of our own', () =>
    withFakeServer({}, async app => {
      const { body } = await app.inject({ url: '/metrics' })
      const exposed = [...body.matchAll(/^# TYPE (wuerstchen_\w+) /gm)].map(([, name]) => name!)
      const documented = [...page('monitoring.md').matchAll(/`(wuerstchen_\w+)`/g)].map(([, name]) => name!)
      expect([...new Set(documented)].sort()).toEqual(exposed.sort())
    }))

  test('has every route', () =>
    withFakeServer({}, async app => {
      const { paths } = (await app.inject({ url: '/openapi.json' })).json() as { paths: Record<string, object> }
      const routes = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`)
      )
      const documented = [...`${page('server.md')}${page('sdapi.md')}`.matchAll(/`((?:GET|POST|DELETE) \/[^`]*)`/g)].map(
        ([, route]) => route!
      )
      expect(routes.filter(route => !documented.includes(route))).toEqual([])
    }))
})

/** Runs a shell script and gives what it prints. */
function shell(script: string, cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', script], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, errors] = ['', '']
    child.stdout.on('data', chunk => {
      output += String(chunk)
    })
    child.stderr.on('data', chunk => {
      errors += String(chunk)
    })
    child
      .on('error', reject)
      .on('close', code => (code === 0 ? resolve(output) : reject(new Error(`${script}\nended with ${code}: ${errors}`))))
  })
}

test.skipIf(!has('curl'))('the calls with curl do what they say', () =>
  withDirectory(async directory => {
    const server = await createServer({ models: { tiny: tinyModel }, pipeline: { threads: 1 } })
    try {
      const address = await server.listen({ port: 0, host: '127.0.0.1' })
      const scripts = [...`${page('server.md')}${page('jobs.md')}`.matchAll(/```sh\n(curl .*?)```/gs)].map(([, script]) =>
        script!.replaceAll('http://127.0.0.1:8080', address)
      )
      expect(scripts).toHaveLength(7)
      const outputs: string[] = []
      for (const script of scripts) outputs.push(await shell(script, directory))
      expect(JSON.parse(outputs[0]!)).toMatchObject({ model: 'tiny', data: [{ seed: 7, parameters: { prompt: 'a red heart' } }] })
      expect(outputs[3]).toContain('event: image_generation.partial_image')
      expect(outputs[3]!.match(/^event: image_generation.completed$/gm)).toHaveLength(2)
      expect(outputs[5]).toMatch(/^HTTP\/1.1 202 Accepted\r\n/)
      for (const file of ['heart.png', 'variation.png', 'edited.png', 'decoded.png']) {
        expect(await sharp(join(directory, file)).metadata()).toMatchObject({ format: 'png', width: 256, height: 256 })
      }
      // A prompt's embeddings decode to what the prompt gives, to 1/255: batches may be others.
      const [decoded, heart] = await Promise.all(
        ['decoded.png', 'heart.png'].map(file => sharp(join(directory, file)).raw().toBuffer())
      )
      expect(decoded!.every((value, index) => Math.abs(value - heart![index]!) <= 1)).toBe(true)
    } finally {
      await server.close()
    }
  })
)
