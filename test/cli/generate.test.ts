import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { withPngText } from '../../lib/image/png-text.js'
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { largest } from '../parity/reference.js'
import { runCommandLine, type ChildResult } from '../support/child.js'
import { root, smallModel } from '../support/small-model.js'

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'wuerstchen-cli-'))
})
afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const QUICK = ['--width', '128', '--height', '128', '--prior-steps', '2', '--decoder-steps', '1', '--threads', '1']

const WITH_MODEL = { ...process.env, WUERSTCHEN_MODEL: smallModel }
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

  test('a preset replaces the steps and samplers of the picture that is made again', async () => {
    const parameters = async (...args: string[]) => {
      const result = await expectDone(run('generate', ...args, '--threads', '1', '--json'))
      return (JSON.parse(result) as { images: { parameters: object }[] }).images[0]!.parameters
    }
    await expectDone(run('generate', 'a cat', ...QUICK, '--prior-guidance-interval', '0.2,0.9', '--seed', '7', '-o', 'slow.png'))
    const fast = await parameters('a cat', '--seed', '7', '--preset', 'fast', '-o', 'fast.png')
    expect(await parameters('--from-image', 'slow.png', '--preset', 'fast', '-o', 'slow-fast.png')).toEqual(fast)
    const given = ['--preset', 'fast', '--prior-sampler', 'ddim', '--decoder-steps', '2']
    expect(await parameters('--from-image', 'slow.png', ...given, '-o', 'given.png')).toEqual(
      await parameters('a cat', '--seed', '7', ...given, '-o', 'given.png')
    )
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
    ['no prompt', ['generate'], /at least one prompt, --prompts or --from-image but there is none/],
    ['a name for many that is a pattern of another program', ['generate', 'a', 'b', '-o', 'x-%d.png'], /Write \{index\}/],
    [
      'one place for two files',
      ['generate', 'a', '-o', 'a.png', '--save-embeddings', './a.png'],
      /another place than that of --output/
    ],
    ['no number', ['generate', 'a cat', '--width', 'wide'], /not a number/],
    ['a size that cannot be', ['generate', 'a cat', '--width', '1000'], /The nearest are 896 and 1024/],
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

describe('with --json, a failure is JSON too', () => {
  test.each<[string, string[], number, object]>([
    [
      'a missing model',
      ['generate', 'a', '--model', '/nope', '--json'],
      1,
      { code: 'MODEL_NOT_FOUND', subject: '/nope/wuerstchen.json' }
    ],
    ['no prompt', ['generate', '--json'], 2, { code: 'INVALID_ARGUMENT', subject: 'prompt' }],
    ['an unknown flag', ['generate', '--json', '--bogus'], 2, { code: 'INVALID_ARGUMENT', subject: null }],
    ['two outputs on stdout', ['generate', 'a', '-o', '-', '--json'], 2, { code: 'INVALID_ARGUMENT', subject: '--json' }],
    ['nothing to inspect', ['inspect', 'no.png', '--json'], 2, { code: 'INVALID_ARGUMENT', subject: 'no.png' }]
  ])('%s', async (_, args, code, error) => {
    const result = await run(...args)
    expect(JSON.parse(result.stdout.toString())).toEqual({ error: { message: expect.any(String), ...error } })
    expect(result.code).toBe(code)
    expect(result.stderr).not.toBe('')
  })

  test('and only with it', async () => {
    expect((await run('generate', '--bogus', '--', '--json')).stdout.toString()).toBe('')
  })
})

describe('prompts of a file', () => {
  test('and of stdin are those of arguments', async () => {
    writeFileSync(join(cwd, 'prompts.jsonl'), '{"prompt": "a cat", "seed": 3}\n{"prompt": "a dog", "seed": 9}\n')
    const file = await expectDone(run('generate', '--prompts', 'prompts.jsonl', ...QUICK, '-o', '{prompt}-{seed}.png'))
    expect(file).toBe('a-cat-3.png\na-dog-9.png\n')
    const script = `printf 'a cat\\n\\na dog\\n' | "$@"`
    const cli = [
      process.execPath,
      join(root, 'dist/cli/main.js'),
      'generate',
      '-',
      ...QUICK,
      '--seed',
      '3',
      '-o',
      'of-{index}.png'
    ]
    expect(execFileSync('bash', ['-c', script, 'bash', ...cli], { cwd, env: WITH_MODEL, encoding: 'utf8' })).toBe(
      'of-1.png\nof-2.png\n'
    )
    await expectDone(run('generate', 'a cat', 'a dog', ...QUICK, '--seed', '3', '-o', 'args.png'))
    expect(readFileSync(join(cwd, 'of-2.png'))).toEqual(readFileSync(join(cwd, 'args-2.png')))
  })
})

describe('what cannot be written', () => {
  test('is known before the work with --no-clobber, for every name', async () => {
    writeFileSync(join(cwd, 'there-2.png'), 'mine')
    const { code, stderr } = await run('generate', 'a', 'b', ...QUICK, '-o', 'there.png', '--no-clobber', '--model', 'nowhere')
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/there-2\.png.*EEXIST/) })
    expect(readFileSync(join(cwd, 'there-2.png'), 'utf8')).toBe('mine')
    for (const [flag, file] of [
      ['--save-embeddings', 'there-2.png'],
      ['-o', 'there-2.png']
    ] as const)
      await expectUsage(run('generate', 'a', flag, file, '--no-clobber', '--model', 'nowhere'), /EEXIST/)
    await expectDone(run('generate', 'a', ...QUICK, '-o', 'free.png', '--no-clobber'))
  })

  test('is put elsewhere where only the end shows it, and the others are written', async () => {
    symlinkSync('/dev/full', join(cwd, 'end-2.png'))
    const { code, stdout, stderr } = await run('generate', 'a', 'b', 'c', ...QUICK, '--seed', '1', '-o', 'end.png', '--json')
    const { images } = JSON.parse(stdout.toString()) as { images: { file: string; error?: object }[] }
    expect({ code, files: images.map(({ file }) => file) }).toEqual({
      code: 1,
      files: ['end-1.png', expect.stringMatching(/rescued\.png$/), 'end-3.png']
    })
    expect(images[1]!.error).toMatchObject({ code: 'OUT_OF_MEMORY', subject: 'end-2.png' })
    expect(stderr).toMatch(/^OUT_OF_MEMORY: .*end-2\.png.*ENOSPC.*\nIt was written to .*rescued\.png instead\n$/)
    expect((await sharp(images[1]!.file).metadata()).width).toBe(128)
    rmSync(dirname(images[1]!.file), { recursive: true })
  })

  test('is told for a limit of sizes, which would otherwise end the process', async () => {
    const script = 'ulimit -f 16; exec "$@"'
    const cli = [process.execPath, join(root, 'dist/cli/main.js'), 'generate', 'a', ...QUICK, '-o', 'large.png']
    const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', ...cli], { cwd, env: WITH_MODEL, encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/OUT_OF_MEMORY: .*large\.png.*EFBIG/) })
    expect(readdirSync(cwd).filter(name => name === 'large.png' || name.endsWith('.tmp'))).toEqual([])
  })

  test('a reader of stdout or of a pipe that leaves early is no failure', async () => {
    const cli = [
      process.execPath,
      join(root, 'dist/cli/main.js'),
      'generate',
      'a',
      '--width',
      '512',
      '--height',
      '512',
      ...QUICK.slice(4)
    ]
    const script = 'set -o pipefail; "$@" -o - | head -c 8 | wc -c; echo ${PIPESTATUS[0]}; "$@" --format png -o >(head -c 8 >&2)'
    const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bash', ...cli], {
      cwd,
      env: WITH_MODEL,
      encoding: 'latin1'
    })
    expect({ stdout: stdout.replace(/\/dev\/fd\/\d+/, 'FD'), stderr, status }).toEqual({
      stdout: '8\n0\nFD\n',
      stderr: '\x89PNG\r\n\x1a\n',
      status: 0
    })
  })

  test('Ctrl-C ends the wait for a reader', async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe.png')])
    const { code, stderr } = await runCommandLine(['generate', 'a', ...QUICK, '-o', 'pipe.png'], {
      cwd,
      env: { WUERSTCHEN_MODEL: smallModel },
      interruptAfter: 8000
    })
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'Interrupted\n' })
  })
})

test('an image may be written over the one that it is made of', async () => {
  await expectDone(run('generate', 'a cat', ...QUICK, '--seed', '7', '-o', 'self.png'))
  const edited = ['--prompt', 'a dog', '--prior-steps', '2', '--decoder-steps', '1', '--threads', '1', '--seed', '1']
  await expectDone(run('edit', 'self.png', ...edited, '-o', 'elsewhere.png'))
  await expectDone(run('edit', 'self.png', ...edited, '-o', 'self.png'))
  expect(readFileSync(join(cwd, 'self.png'))).toEqual(readFileSync(join(cwd, 'elsewhere.png')))
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

const onePixel = () =>
  sharp({ create: { width: 1, height: 1, channels: 3, background: 'black' } })
    .png()
    .toBuffer()

describe('inspect', () => {
  test('shows what a terminal would obey, and does not send it', async () => {
    const text = 'a cat\u001b]0;mine\u0007 \u009b31m\nSteps: 3\tSeed: 1'
    writeFileSync(join(cwd, 'foreign.png'), withPngText(await onePixel(), { parameters: text }))
    const shown = await expectDone(run('inspect', 'foreign.png'))
    expect(shown).toBe('a cat\\u001b]0;mine\\u0007 \\u009b31m\nSteps: 3\tSeed: 1\n')
    expect(JSON.parse(await expectDone(run('inspect', 'foreign.png', '--json')))).toMatchObject({ text })
  })

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
    const manifest = JSON.parse(readFileSync(join(smallModel, 'wuerstchen.json'), 'utf8')) as { stages: { prior: object } }
    const lora = { name: 'style.safetensors', sha256: 'a'.repeat(64), scale: 0.8 }
    const facts = { alphaFrom: ['lora_adapter_metadata'], modules: 8 }
    Object.assign(manifest.stages.prior, { loras: [{ ...lora, ...facts }, lora] })
    mkdirSync(join(cwd, 'with-loras'))
    writeFileSync(join(cwd, 'with-loras', 'wuerstchen.json'), JSON.stringify(manifest))
    expect(await expectDone(run('inspect', 'with-loras'))).toMatch(
      / {2}LoRA style\.safetensors, scale 0\.8, 8 modules, alpha from lora_adapter_metadata\n {2}LoRA style\.safetensors, scale 0\.8\n/
    )
    copyFileSync(join(smallModel, 'prior_tokenizer.json'), join(cwd, 'wuerstchen.json'))
    expect((await run('inspect', cwd)).code).toBe(1)
    expect(existsSync(join(cwd, 'wuerstchen.json'))).toBe(true)
  })
})
