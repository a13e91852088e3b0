import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readParameters } from '../../lib/index.js'
import { runCommandLine, type ChildResult } from '../support/child.js'
import { smallModel } from '../support/small-model.js'

const SIDE = 128
const FAST = ['--decoder-steps', '1', '--threads', '1']
const QUICK = ['--prior-steps', '2', ...FAST]

let cwd: string
beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'wuerstchen-cli-'))
  const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, index) => (index * 31) % 251)
  const half = Uint8Array.from({ length: SIDE * SIDE }, (_, index) => (index % SIDE < 64 ? 255 : 0))
  writeFileSync(join(cwd, 'text.png'), 'not a picture')
  await sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toFile(join(cwd, 'a.png'))
  await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3377aa' } })
    .jpeg()
    .toFile(join(cwd, 'b.jpg'))
  const mask = () => sharp(half, { raw: { width: SIDE, height: SIDE, channels: 1 } }).png()
  await mask().toFile(join(cwd, 'mask.png'))
  await mask().toFile(join(cwd, 'alpha'))
  // Of 16 bits, and the left half is transparent.
  const cut = Uint16Array.from({ length: SIDE * SIDE * 4 }, (_, index) =>
    index % 4 === 3 ? (half[index >> 2] === 255 ? 0 : 65535) : data[(index >> 2) * 3 + (index % 4)]! * 257
  )
  await sharp(cut, { raw: { width: SIDE, height: SIDE, channels: 4 } })
    .toColourspace('rgb16')
    .png()
    .toFile(join(cwd, 'cut.png'))
})
afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const run = (...args: string[]) => runCommandLine(args, { cwd, env: { WUERSTCHEN_MODEL: smallModel } })

async function expectDone(result: Promise<ChildResult>): Promise<string> {
  const { code, stdout, stderr } = await result
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.toString()
}

const parametersIn = async (file: string) => (await readParameters(readFileSync(join(cwd, file)))).parameters!
const sha256 = (file: string) =>
  createHash('sha256')
    .update(readFileSync(join(cwd, file)))
    .digest('hex')
const pixels = (file: string) => sharp(join(cwd, file)).raw().toBuffer()

describe('pictures from pictures', () => {
  test('vary makes n of each, and says in each what it came from: the hash, never the name', async () => {
    expect(
      await expectDone(run('vary', 'a.png', 'b.jpg', '-n', '2', '--strength', '0.5', '--seed', '3', ...QUICK, '-o', 'near.png'))
    ).toBe('near-1.png\nnear-2.png\nnear-3.png\nnear-4.png\n')
    const parameters = await parametersIn('near-4.png')
    expect(parameters).toMatchObject({
      seed: 6,
      prompt: '',
      input: { operation: 'vary', strength: 0.5, sha256: sha256('b.jpg'), fit: 'cover' }
    })
    expect(readFileSync(join(cwd, 'near-4.png')).includes('b.jpg')).toBe(false)
  })

  test('at strength 0 vary is reconstruct', async () => {
    await expectDone(run('reconstruct', 'a.png', '--seed', '3', ...FAST, '-o', 'again.png'))
    await expectDone(run('vary', 'a.png', '--strength', '0', '--seed', '3', ...QUICK, '-o', 'zero.png'))
    expect(Buffer.compare(await pixels('zero.png'), await pixels('again.png'))).toBe(0)
  })

  test('edit keeps what the mask keeps', async () => {
    const result = JSON.parse(
      await expectDone(
        run('edit', 'a.png', '--prompt', 'a dog', '--mask', 'mask.png', '--feather', '4', ...QUICK, '-o', 'part.png', '--json')
      )
    ) as { images: { parameters: { input: object } }[] }
    expect(result.images[0]!.parameters.input).toEqual({
      operation: 'edit',
      strength: 1,
      sha256: sha256('a.png'),
      fit: 'cover',
      maskSha256: sha256('mask.png'),
      feather: 4
    })
    const [before, after] = [await pixels('a.png'), await pixels('part.png')]
    const changed = [...before.keys()].filter(index => before[index] !== after[index]).map(index => Math.floor(index / 3) % SIDE)
    expect(changed.length).toBeGreaterThan(0)
    expect(changed.every(x => x < 64)).toBe(true)
  })

  test('edit with a mask of alpha keeps what is opaque, and ./alpha is a file', async () => {
    const edit = ['--prompt', 'a dog', ...QUICK, '-o']
    await expectDone(run('edit', 'cut.png', '--mask', 'alpha', ...edit, 'own.png'))
    await expectDone(run('edit', 'a.png', '--mask', './alpha', ...edit, 'file.png'))
    expect((await parametersIn('own.png')).input?.maskSha256).toBe(sha256('cut.png'))
    expect((await parametersIn('file.png')).input?.maskSha256).toBe(sha256('alpha'))
    const before = await pixels('a.png')
    for (const file of ['own.png', 'file.png']) {
      const after = await pixels(file)
      expect([...before.keys()].every(index => Math.floor(index / 3) % SIDE < 64 || before[index] === after[index])).toBe(true)
      expect(Buffer.compare(before, after)).not.toBe(0)
    }
  })

  test('encode, mix and decode', async () => {
    expect(await expectDone(run('encode', 'a.png', '--half', '-o', 'a.safetensors'))).toBe('a.safetensors\n')
    const encoded = JSON.parse(await expectDone(run('encode', 'b.jpg', '--json', '-o', 'b.safetensors'))) as object
    expect(encoded).toEqual({
      file: 'b.safetensors',
      shape: [1, 16, 3, 3],
      space: 'e',
      origins: [{ input: { operation: 'encode', sha256: sha256('b.jpg'), fit: 'cover' } }]
    })
    await expectDone(run('mix', 'a.safetensors', 'b.safetensors', '--weights', '1,3', '-o', 'mixed.safetensors'))
    expect(await expectDone(run('decode', 'mixed.safetensors', '--seed', '1', ...FAST, '-o', 'mixed.png'))).toBe('mixed.png\n')
    expect((await parametersIn('mixed.png')).mixedFrom).toEqual([
      { weight: 0.25, sha256: sha256('a.png') },
      { weight: 0.75, sha256: sha256('b.jpg') }
    ])
    await expectDone(run('mix', 'a.safetensors', 'b.safetensors', '--steps', '3', '-o', 'path.safetensors'))
    expect(await expectDone(run('decode', 'path.safetensors', '--seeds', '1,1,1', ...FAST, '-o', 'path.png'))).toBe(
      'path-1.png\npath-2.png\npath-3.png\n'
    )
  })
})

test.each<[string, string[], RegExp]>([
  ['an edit without a prompt', ['edit', 'a.png'], /--prompt/],
  ['no picture', ['vary'], /missing required argument/],
  ['a file that is not there', ['vary', 'none.png'], /INVALID_ARGUMENT.*none\.png.*ENOENT/],
  ['a file that is no picture', ['reconstruct', 'text.png'], /first bytes/],
  ['a strength out of range', ['vary', 'a.png', '--strength', '2'], /strength/],
  ['a mask of another size', ['edit', 'b.jpg', '--prompt', 'x', '--mask', 'mask.png'], /300×200.*128×128/],
  [
    'a mask of alpha for an image without',
    ['edit', 'a.png', '--prompt', 'x', '--mask', 'alpha'],
    /transparency.*the image has none/
  ],
  ['a name that says no safetensors', ['encode', 'a.png', '-o', 'a.png'], /\.safetensors/],
  ['steps between three files', ['mix', 'a', 'b', 'c', '--steps', '3'], /--steps/],
  ['a modified picture as a recipe', ['generate', '--from-image', 'near-1.png'], /made by vary of an image/]
])('%s is wrong usage', async (_name, args, message) => {
  const { code, stdout, stderr } = await run(...args)
  expect(stderr).toMatch(message)
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' })
})
