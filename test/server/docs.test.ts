import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { createServer } from '../../lib/server/index.js'
import { LIMITS } from '../../lib/server/limits.js'
import { CHANNELS } from '../../lib/server/observe/channels.js'
import { has } from '../support/programs.mjs'
import { root, withDirectory } from '../support/small-model.js'
import { tinyModel, withFakeServer } from './fake-backend.js'

const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')

describe('the documentation', () => {
  test('has every limit with its default', () => {
    const rows = [...page('server.md').matchAll(/^\| `(\w+)` \| ([\d,]+)( MiB)? \| ([a-z].*) \|$/gm)]
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
      const documented = [...page('server.md').matchAll(/`((?:GET|POST|DELETE) \/[^`]*)`/g)].map(([, route]) => route!)
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
      const scripts = [...page('server.md').matchAll(/```sh\n(curl .*?)```/gs)].map(([, script]) =>
        script!.replaceAll('http://127.0.0.1:8080', address)
      )
      expect(scripts).toHaveLength(7)
      const outputs: string[] = []
      for (const script of scripts) outputs.push(await shell(script, directory))
      expect(JSON.parse(outputs[0]!)).toMatchObject({ model: 'tiny', data: [{ seed: 7, parameters: { prompt: 'a red heart' } }] })
      expect(outputs[3]).toContain('event: image_generation.partial_image')
      expect(outputs[3]!.match(/^event: image_generation.completed$/gm)).toHaveLength(2)
      expect(outputs[4]).toMatch(/^HTTP\/1.1 202 Accepted\r\n/)
      for (const file of ['heart.png', 'variation.png', 'edited.png', 'decoded.png']) {
        expect(await sharp(join(directory, file)).metadata()).toMatchObject({ format: 'png', width: 256, height: 256 })
      }
      // A prompt's embeddings decode to what the prompt gives, to 1/255: the job before may still run, and share its batches.
      const [decoded, heart] = await Promise.all(
        ['decoded.png', 'heart.png'].map(file => sharp(join(directory, file)).raw().toBuffer())
      )
      expect(decoded!.every((value, index) => Math.abs(value - heart![index]!) <= 1)).toBe(true)
    } finally {
      await server.close()
    }
  })
)
