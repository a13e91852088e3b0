import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { GeneratedImage, type GenerationParameters } from '../../lib/index.js'
import { readParameters } from '../../lib/image/metadata.js'
import { toWebuiText } from '../../lib/image/parameters.js'
import { withDirectory } from '../support/small-model.js'

const PARAMETERS: GenerationParameters = {
  prompt: 'a photo of a cat',
  negativePrompt: 'blurry',
  width: 16,
  height: 8,
  seed: 42,
  priorTimesteps: [1, 0.5, 0.1 + 0.2, 0],
  priorGuidanceScale: 4,
  decoderTimesteps: [1, 1 / 3, 0],
  decoderGuidanceScale: 0,
  model: { name: 'small', hash: '0123456789abcdef'.repeat(4) },
  device: 'cpu',
  dtype: 'float32',
  versions: { wuerstchen: '0.1.0', torch: '2.13.0' },
  rng: 'torch-cpu'
}

/** Every byte value, so that a change of colour would show. */
const data = Uint8Array.from({ length: 16 * 8 * 3 }, (_, index) => index % 256)

const imageWith = (parameters: Partial<GenerationParameters> = {}) =>
  new GeneratedImage({ width: 16, height: 8, data }, { ...PARAMETERS, ...parameters })

describe.each(['png', 'jpeg', 'webp'] as const)('a %s file', format => {
  test('gives back exactly the parameters it was written with', async () => {
    const file = await imageWith().toBuffer(format)
    expect((await readParameters(file)).parameters).toEqual(PARAMETERS)
    expect(await sharp(file).metadata()).toMatchObject({ format, width: 16, height: 8, channels: 3 })
  })

  test('keeps any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), async (prompt, negativePrompt) => {
        const { parameters } = await readParameters(await imageWith({ prompt, negativePrompt }).toBuffer(format))
        expect(parameters).toEqual({ ...PARAMETERS, prompt, negativePrompt })
      }),
      { numRuns: 40, examples: [['</w:wuerstchen>&amp;<![CDATA[ "\'\0\u{1f431}\ud800', 'tEXt\0IEND']] }
    )
  })

  test('has none where they are left out', async () => {
    const file = await imageWith().toBuffer(format, { metadata: false })
    expect(await readParameters(file)).toEqual({ parameters: undefined, text: undefined })
    expect(file.includes('wuerstchen')).toBe(false)
  })
})

test('every chunk of a PNG has its checksum, also those with text', async () => {
  const file = await imageWith({ prompt: 'Grüße' }).toBuffer()
  const names: string[] = []
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at)
    const body = file.subarray(at + 4, at + 8 + length)
    names.push(body.toString('latin1', 0, 4))
    expect([names.at(-1), file.readUInt32BE(at + 8 + length)]).toEqual([names.at(-1), crc32(body)])
    at += 12 + length
  }
  expect(names).toEqual(expect.arrayContaining(['IHDR', 'iTXt', 'IDAT', 'IEND']))
})

test('a PNG keeps every pixel', async () => {
  const { data: pixels } = await sharp(await imageWith().toBuffer())
    .raw()
    .toBuffer({ resolveWithObject: true })
  expect(new Uint8Array(pixels)).toEqual(data)
})

test('a PNG has the text that other tools read', async () => {
  const { comments } = await sharp(await imageWith({ prompt: 'a cät, 猫' }).toBuffer()).metadata()
  expect(comments!.find(({ keyword }) => keyword === 'parameters')!.text).toBe(
    'a cät, 猫\nNegative prompt: blurry\n' +
      'Steps: 3, Sampler: DDPM Wuerstchen, CFG scale: 4, Seed: 42, Size: 16x8, Model hash: 0123456789, Model: small, ' +
      'Decoder steps: 2, Decoder CFG scale: 0, Version: wuerstchen 0.1.0'
  )
  expect(toWebuiText({ ...PARAMETERS, negativePrompt: '', model: { name: 'a, b', hash: '' } })).toMatch(
    /^a photo of a cat\nSteps: 3, .*Model: "a, b"/
  )
})

test('JPEG and WebP have the same text as an EXIF user comment', async () => {
  for (const format of ['jpeg', 'webp'] as const) {
    const { exif } = await sharp(await imageWith().toBuffer(format)).metadata()
    expect(exif!.toString('latin1')).toContain(toWebuiText(PARAMETERS))
  }
})

test('parameters that a JPEG cannot hold are refused, not dropped', async () => {
  const long = imageWith({ prompt: '猫'.repeat(30_000) })
  await expect(long.toBuffer('jpeg')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('Write a PNG')
  })
  expect((await readParameters(await long.toBuffer('png'))).parameters!.prompt).toHaveLength(30_000)
})

describe('a file from elsewhere', () => {
  test('that is no image is refused', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('not an image'), (await imageWith().toBuffer()).subarray(0, 20)]) {
      await expect(readParameters(bytes)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })

  test('with parameters that are not sound is refused', async () => {
    for (const wrong of [{ seed: -1 }, { width: 'wide' }, { priorTimesteps: [2] }, { rng: 'other' }]) {
      await expect(readParameters(await imageWith(wrong as never).toBuffer())).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: /sound/
      })
    }
  })

  test('without parameters has none', async () => {
    expect(
      await readParameters(
        await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
          .png()
          .toBuffer()
      )
    ).toEqual({ parameters: undefined, text: undefined })
  })
})

describe('toFile', () => {
  test('goes by the extension, unless a format is given', () =>
    withDirectory(async directory => {
      for (const [name, format] of [
        ['a.png', 'png'],
        ['a.JPG', 'jpeg'],
        ['a.jpeg', 'jpeg'],
        ['a.webp', 'webp']
      ] as const) {
        await imageWith().toFile(join(directory, name))
        expect((await sharp(join(directory, name)).metadata()).format).toBe(format)
      }
      await imageWith().toFile(join(directory, 'b'), { format: 'webp' })
      expect((await sharp(join(directory, 'b')).metadata()).format).toBe('webp')
      await expect(imageWith().toFile(join(directory, 'c.gif'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }))

  test('replaces a file whole, and leaves nothing behind when it cannot', () =>
    withDirectory(async directory => {
      const file = join(directory, 'a.png')
      writeFileSync(file, 'old')
      await imageWith().toFile(file)
      expect(readFileSync(file).subarray(1, 4).toString()).toBe('PNG')
      mkdirSync(join(directory, 'taken.png'))
      await expect(imageWith().toFile(join(directory, 'taken.png'))).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/)
      await expect(imageWith().toFile(join(directory, 'no', 'a.png'))).rejects.toThrow(/ENOENT/)
      expect(readdirSync(directory).toSorted()).toEqual(['a.png', 'taken.png'])
    }))

  test.each([
    ['format', 'gif'],
    ['quality', 0],
    ['quality', 101],
    ['metadata', 'yes'],
    ['qualty', 5]
  ])('refuses %s = %j', async (name, value) => {
    await expect(imageWith().toFile('never.png', { [name]: value })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
