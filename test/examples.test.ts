import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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
