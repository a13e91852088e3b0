import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { largest } from '../parity/reference.js'
import { runCommandLine, type ChildResult } from '../support/child.js'
import { smallModel } from '../support/small-model.js'

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'wuerstchen-cli-'))
})
afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const QUICK = ['--width', '128', '--height', '128', '--prior-steps', '2', '--decoder-steps', '1', '--threads', '1']

const run = (...args: string[]) => runCommandLine(args, { cwd, env: { WUERSTCHEN_MODEL: smallModel } })

async function expectDone(result: Promise<ChildResult>): Promise<string> {
  const { code, stdout, stderr } = await result
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.toString()
}

async function expectUsage(result: Promise<ChildResult>, message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await result
  expect(stderr).toMatch(message)
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' })
}

const pixels = async (file: string) => sharp(join(cwd, file)).raw().toBuffer()

describe('generate', () => {
  test('writes a picture, says where, and can make it again to the last byte', async () => {
    expect(await expectDone(run('generate', 'a cat', ...QUICK, '--seed', '7', '-o', 'cat.png'))).toBe('cat.png\n')
    expect(await expectDone(run('generate', '--from-image', 'cat.png', '--threads', '1', '-o', 'again.png'))).toBe('again.png\n')
    expect(readFileSync(join(cwd, 'again.png'))).toEqual(readFileSync(join(cwd, 'cat.png')))
    await expectDone(run('generate', '--from-image', 'cat.png', '--seed', '8', '--threads', '1', '-o', 'other.png'))
    expect(largest(await pixels('other.png'), await pixels('cat.png'))).toBeGreaterThan(1)
  })

  test('makes a picture again in the dtype it was made in', async () => {
    await expectDone(run('generate', 'a cat', ...QUICK, '--seed', '7', '--dtype', 'bfloat16', '-o', 'half.png'))
    await expectDone(run('generate', '--from-image', 'half.png', '--threads', '1', '-o', 'half-again.png'))
    expect(readFileSync(join(cwd, 'half-again.png'))).toEqual(readFileSync(join(cwd, 'half.png')))
  })

  test('several images get numbers, their seeds and one JSON result', async () => {
    const result = JSON.parse(
      await expectDone(
        run('generate', 'a cat', 'a dog', '--num-images-per-prompt', '2', ...QUICK, '--seed', '3', '-o', 'many.webp', '--json')
      )
    ) as {
      images: { file: string; seed: number; parameters: { prompt: string } }[]
      seeds: number[]
      timings: { total: number }
      cut: unknown[]
      model: { name: string }
    }
    expect(result.images.map(({ file, seed, parameters }) => [file, seed, parameters.prompt])).toEqual([
      ['many-1.webp', 3, 'a cat'],
      ['many-2.webp', 4, 'a cat'],
      ['many-3.webp', 5, 'a dog'],
      ['many-4.webp', 6, 'a dog']
    ])
    expect(result).toMatchObject({ seeds: [3, 4, 5, 6], cut: [], model: { name: 'small-random' } })
    expect(result.timings.total).toBeGreaterThan(0)
    expect((await sharp(join(cwd, 'many-4.webp')).metadata()).format).toBe('webp')
  })

  test('one of a batch is made again to within one step of 255', async () => {
    await expectDone(run('generate', 'a cat', '--num-images-per-prompt', '3', ...QUICK, '--seed', '3', '-o', 'batch.png'))
    await expectDone(run('generate', '--from-image', 'batch-2.png', '--threads', '1', '-o', 'single.png'))
    expect(largest(await pixels('single.png'), await pixels('batch-2.png'))).toBeLessThanOrEqual(1)
  })

  test('writes the bytes of an image to stdout', async () => {
    const { code, stdout } = await run('generate', 'a cat', ...QUICK, '-o', '-', '--format', 'jpeg', '--no-metadata')
    expect(code).toBe(0)
    expect(await sharp(stdout).metadata()).toMatchObject({ format: 'jpeg', width: 128, height: 128 })
    expect((await sharp(stdout).metadata()).xmp).toBeUndefined()
  })

  test('without a file name the seed is the name', async () => {
    expect(await expectDone(run('generate', 'a cat', ...QUICK, '--seed', '99'))).toBe('wuerstchen-99.png\n')
  })

  test('says what was cut off a prompt, unless it is to be quiet', async () => {
    const long = 'cat '.repeat(8000)
    const { code, stderr } = await run('generate', long, ...QUICK, '--seed', '1', '-o', 'long.png')
    expect({ code, cut: /^Cut off, [^\n]{0,80}"[cat ]{80}"… \(\d+ characters\)\n$/.test(stderr) }).toEqual({
      code: 0,
      cut: true
    })
    await expectDone(run('generate', long, ...QUICK, '--seed', '1', '-o', 'long.png', '--quiet'))
  })

  test('embeddings are saved, and decode makes the same picture of them', async () => {
    await expectDone(run('generate', 'a cat', ...QUICK, '--seed', '7', '-o', 'first.png', '--save-embeddings', 'cat.safetensors'))
    await expectDone(run('decode', 'cat.safetensors', '--decoder-steps', '1', '--threads', '1', '-o', 'second.png'))
    expect(readFileSync(join(cwd, 'second.png'))).toEqual(readFileSync(join(cwd, 'first.png')))
    await expectDone(
      run(
        'decode',
        'cat.safetensors',
        '--decoder-steps',
        '1',
        '--threads',
        '1',
        '--seed',
        '5',
        '--prompt',
        'a dog',
        '-o',
        'third.png'
      )
    )
    await expectDone(run('generate', '--from-image', 'third.png', '--threads', '1', '-o', 'fourth.png'))
    expect(readFileSync(join(cwd, 'fourth.png'))).toEqual(readFileSync(join(cwd, 'third.png')))
  })
})

describe('wrong usage ends with 2, before any work', () => {
  test.each<[string, string[], RegExp]>([
    ['an unknown flag', ['generate', 'a cat', '--bogus'], /unknown option '--bogus'/],
    ['an unknown command', ['paint'], /unknown command 'paint'/],
    ['no prompt', ['generate'], /at least one prompt, or --from-image/],
    ['no number', ['generate', 'a cat', '--width', 'wide'], /not a number/],
    ['a size that cannot be', ['generate', 'a cat', '--width', '1000'], /The nearest are 896 and 1024/],
    ['two outputs on stdout', ['generate', 'a cat', '-o', '-', '--json'], /no --output - beside it/],
    ['many images on stdout', ['generate', 'a cat', 'a dog', '-o', '-'], /a file name where there are several images/],
    ['an unknown format', ['generate', 'a cat', '-o', 'cat.gif'], /a name ending in \.png/],
    ['no such directory', ['generate', 'a cat', '-o', 'no/where/cat.png'], /ENOENT/],
    ['no such image', ['generate', '--from-image', 'no.png'], /ENOENT/],
    ['no such embeddings', ['decode', 'no.safetensors'], /ENOENT/],
    ['nothing to inspect', ['inspect', 'no.png'], /ENOENT/],
    ['an unknown residency', ['generate', 'a cat', '--residency', 'cloud'], /Allowed choices are all, sequential/]
  ])('%s', (_name, args, message) => expectUsage(run(...args), message))

  test('an image without parameters', async () => {
    await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
      .png()
      .toFile(join(cwd, 'plain.png'))
    await expectUsage(run('generate', '--from-image', 'plain.png'), /has none/)
    await expectUsage(run('inspect', 'plain.png'), /has none/)
  })
})

describe('other ends', () => {
  test('a failure ends with 1 and its code', async () => {
    const { code, stderr } = await run('generate', 'a cat', '--model', 'nowhere')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^MODEL_NOT_FOUND: Expected a model directory[^\n]*\n$/)
    })
    const unavailable = await run('generate', 'a cat', ...QUICK, '--device', 'cuda:63')
    expect({ code: unavailable.code, stderr: unavailable.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^DEVICE_UNAVAILABLE: /)
    })
  })

  test('help and version end with 0', async () => {
    expect(await expectDone(run('--version'))).toMatch(/^\d+\.\d+\.\d+\n$/)
    for (const command of ['generate', 'decode', 'inspect', 'doctor'])
      expect(await expectDone(run(command, '--help'))).toContain(`wuerstchen ${command}`)
    expect(await expectDone(run('setup', '--help'))).toContain('LibTorch')
  })

  test('export passes its flags and its exit code on', async () => {
    const { code, stderr } = await run('export', '--bogus')
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^usage: export\.py/) })
  })

  test('Ctrl-C ends with 130 and leaves no file', async () => {
    const before = readdirSync(cwd)
    // Two hundred pictures of a thousand steps: minutes on any machine, and beyond this test's time limit.
    const { code, stdout } = await runCommandLine(
      ['generate', 'a cat', ...QUICK.slice(0, 4), '--prior-steps', '1000', '--num-images-per-prompt', '200', '-o', 'never.png'],
      { cwd, env: { WUERSTCHEN_MODEL: smallModel }, interruptAfter: 4000 }
    )
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 130, stdout: '' })
    expect(readdirSync(cwd)).toEqual(before)
  })
})

describe('inspect', () => {
  test('prints how a picture was made, as text and as JSON', async () => {
    await expectDone(run('generate', 'a cat', ...QUICK, '--seed', '7', '-o', 'seen.jpg', '--negative-prompt', 'dogs'))
    const text = await expectDone(run('inspect', 'seen.jpg'))
    expect(text).toMatch(/^a cat\nNegative prompt: dogs\nSteps: 2, .*Seed: 7, Size: 128x128/)
    expect(JSON.parse(await expectDone(run('inspect', 'seen.jpg', '--json')))).toMatchObject({
      parameters: { prompt: 'a cat', seed: 7, priorTimesteps: [1, 0.5, 0] }
    })
  })

  test('prints what a model directory holds', async () => {
    expect(await expectDone(run('inspect', smallModel))).toMatch(
      /^small-random \(MIT\), manifest [0-9a-f]{10}\n[^]*prior\.float32\.cpu\.pt: torchscript, float32, cpu/
    )
    expect(JSON.parse(await expectDone(run('inspect', smallModel, '--json')))).toMatchObject({
      name: 'small-random',
      formatVersion: 1
    })
    copyFileSync(join(smallModel, 'prior_tokenizer.json'), join(cwd, 'wuerstchen.json'))
    expect((await run('inspect', cwd)).code).toBe(1)
    expect(existsSync(join(cwd, 'wuerstchen.json'))).toBe(true)
  })
})
