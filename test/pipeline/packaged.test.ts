import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Pipeline } from '../../lib/index.js'
import { root, withModelCopy } from '../support/small-model.js'

test('without a directory the packaged model is loaded, verified, and makes a picture of its own size', async () => {
  expect(process.env['WUERSTCHEN_MODEL']).toBeUndefined()
  expect(existsSync(join(root, 'models', 'tiny', 'wuerstchen.json'))).toBe(true)
  await using pipeline = await Pipeline.load(undefined, { threads: 1 })
  expect(pipeline.model).toMatchObject({ name: 'wuerstchen-tiny', path: join(root, 'models', 'tiny') })
  const {
    images: [image]
  } = await pipeline.generate({ prompt: 'a red heart', seed: 1 })
  // A picture, not a plain area: its values spread.
  const mean = image!.data.reduce((sum, value) => sum + value, 0) / image!.data.length
  const spread = Math.sqrt(image!.data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / image!.data.length)
  expect(spread).toBeGreaterThan(10)
})

/**
 * An image of the packaged model in a process of its own, because LibTorch chooses its instructions once.
 * @returns what ran, and the pixels
 */
function imageWith(cpuCapability: string, directory?: string) {
  const script = `
    import { Pipeline } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)}
    const pipeline = await Pipeline.load(process.argv[1], { threads: 1 })
    const { images } = await pipeline.generate({ prompt: 'a red heart', seed: 1 })
    const kinds = Object.fromEntries(pipeline.artefacts.map(({ stage, kind }) => [stage, kind]))
    console.log(JSON.stringify({ kinds, data: Buffer.from(images[0].data).toString('base64') }))
    await pipeline.dispose()`
  const args = ['--input-type=module', '-e', script, ...(directory === undefined ? [] : [directory])]
  const env = { ...process.env, ATEN_CPU_CAPABILITY: cpuCapability }
  const { kinds, data } = JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8', maxBuffer: 1 << 24 })) as {
    kinds: Record<string, string>
    data: string
  }
  return { kinds, data: Buffer.from(data, 'base64') }
}

describe('the libraries of the packaged model', () => {
  const tiny = join(root, 'models', 'tiny')
  const compiled = join(tiny, 'compiled')
  const flags = readFileSync('/proc/cpuinfo', 'utf8')
  const sets = [
    { capability: 'avx2', there: / avx2 /.test(flags) },
    { capability: 'avx512', there: / avx512f .* avx512vl | avx512vl .* avx512f /.test(flags) }
  ]

  for (const { capability, there } of sets)
    test.runIf(process.arch === 'x64' && there)(`with ${capability} they are used, and make the image of the programs`, () =>
      withModelCopy(async directory => {
        rmSync(join(directory, 'compiled'), { recursive: true })
        const programs = imageWith(capability, directory)
        const libraries = imageWith(capability)
        expect(new Set(Object.values(programs.kinds))).toEqual(new Set(['torchscript']))
        expect(libraries.kinds).toMatchObject({ prior: 'aoti', decoder: 'aoti', vqDecoder: 'aoti' })
        // Rounding differs, and grows over 41 steps.
        const largest = libraries.data.reduce((most, value, index) => Math.max(most, Math.abs(value - programs.data[index]!)), 0)
        expect(largest).toBeLessThanOrEqual(1)
      }, tiny)
    )

  test.runIf(process.arch === 'x64')('a processor with neither runs the programs', () => {
    expect(new Set(Object.values(imageWith('default').kinds))).toEqual(new Set(['torchscript']))
  })

  test('they name no path of the machine that made them, and are small', () => {
    const files = readdirSync(compiled).filter(name => name.endsWith('.so'))
    expect(files).toHaveLength(6)
    for (const file of files) {
      const text = readFileSync(join(compiled, file), 'latin1')
      expect(text.match(/\/(?:home|root|tmp|work|usr\/local)\/[\w./-]+/)).toBeNull()
      expect(text.length).toBeLessThan(1 << 20)
    }
  })
})
