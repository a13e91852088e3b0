import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { spawn } from 'node:child_process'
import { root, smallModel, withDirectory } from './support/small-model.js'

const examples = readdirSync(join(root, 'examples')).filter(file => file.endsWith('.mjs'))

/** Runs an example where it may write, on the small model. */
function runExample(file: string, cwd: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'examples', file)], {
      cwd,
      env: { ...process.env, WUERSTCHEN_MODEL: smallModel, WUERSTCHEN_THREADS: '1' }
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject).on('close', code => resolve({ code, stdout, stderr }))
  })
}

test('the route of a Next.js application answers requests as Next.js hands them over', async () => {
  const { POST } = await import('../examples/next-route.js')
  const ask = (body: string) => POST(new Request('http://localhost/api/images', { method: 'POST', body }))
  const made = await ask('{ "prompt": "x", "seed": 3 }')
  expect([made.status, made.headers.get('content-type')]).toEqual([200, 'image/png'])
  expect(await sharp(await made.arrayBuffer()).metadata()).toMatchObject({ format: 'png' })
  for (const wrong of ['', '{}', '{ "prompt": 7 }', '{ "prompt": "x", "seed": -1 }']) {
    const refused = await ask(wrong)
    expect([wrong, refused.status, Object.keys((await refused.json()) as object)]).toEqual([wrong, 400, ['error']])
  }
  await (globalThis as { pipeline?: Promise<{ dispose(): Promise<void> }> }).pipeline?.then(pipeline => pipeline.dispose())
})

describe('each example runs', () => {
  test.each(examples)('%s', file =>
    withDirectory(async directory => {
      const result = await runExample(file, directory)
      expect(result).toMatchObject({ code: 0, stderr: '' })
      expect(result.stdout.split('\n').length).toBeGreaterThan(1)
      // Whatever file an example names, it writes.
      const source = readFileSync(join(root, 'examples', file), 'utf8')
      const named = [...source.matchAll(/toFile\('([^']+)'\)/g)].map(match => match[1])
      expect(readdirSync(directory)).toEqual(expect.arrayContaining(named))
    })
  )
})
