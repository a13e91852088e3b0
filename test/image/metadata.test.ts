import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { exifBlock, userCommentIn } from '../../lib/image/exif.js'
import { readParameters } from '../../lib/image/metadata.js'
import { toWebuiText } from '../../lib/image/parameters.js'
import { data, imageWith, PARAMETERS } from '../support/described-image.js'
import { withDirectory } from '../support/small-model.js'

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

test('JPEG and WebP have the same text as an Exif user comment', async () => {
  const text = 'a „cät“, 猫 🐱\nNegative prompt: blurry'
  for (const format of ['jpeg', 'webp'] as const) {
    const { exif } = await sharp(await imageWith({ prompt: 'a „cät“, 猫 🐱' }).toBuffer(format)).metadata()
    // As piexif reads it, with which stable-diffusion-webui does.
    const comment = exif!.subarray(exif!.indexOf('UNICODE\0') + 8)
    expect(
      Buffer.from(comment.subarray(0, comment.length & ~1))
        .swap16()
        .toString('utf16le')
    ).toContain(text)
    expect((await readParameters(await imageWith({ prompt: 'a „cät“, 猫 🐱' }).toBuffer(format))).text).toContain(text)
  }
})

test.each([{ prompt: '猫'.repeat(30_000) }, { prompt: '&<"'.repeat(10_000), negativePrompt: '\u0001'.repeat(32_768) }])(
  'parameters of any length are in files of every format',
  async texts => {
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const file = await imageWith(texts).toBuffer(format)
      expect((await readParameters(file)).parameters).toEqual({ ...PARAMETERS, ...texts })
      expect((await sharp(file).metadata()).width).toBe(16)
    }
  }
)

test('parameters without an end are refused, not dropped', async () => {
  const mixedFrom = Array.from({ length: 100 }, () => ({ weight: 0.01, prompt: 'a'.repeat(30_000) }))
  for (const format of ['png', 'jpeg', 'webp'] as const)
    await expect(imageWith({ mixedFrom }).toBuffer(format)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'metadata'
    })
})

test.each([
  [{}, 'trainedAlgorithmicMedia'],
  [{ input: { operation: 'vary', sha256: 'a'.repeat(64), fit: 'cover' } }, 'compositeWithTrainedAlgorithmicMedia'],
  [{ mixedFrom: [{ weight: 1, sha256: 'a'.repeat(64) }] }, 'compositeWithTrainedAlgorithmicMedia'],
  [{ mixedFrom: [{ weight: 1, prompt: 'a cat' }] }, 'trainedAlgorithmicMedia']
] as const)('a file of every format says that a model made it: %o', async (parameters, kind) => {
  for (const format of ['png', 'jpeg', 'webp'] as const) {
    const { xmpAsString } = await sharp(await imageWith(parameters as never).toBuffer(format)).metadata()
    expect(xmpAsString).toContain(
      `<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/${kind}</Iptc4xmpExt:DigitalSourceType>`
    )
  }
})

/** An image of one red pixel, with a chunk behind its header. */
const onePixel = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
  .png()
  .toBuffer()

function pngWith(name: string, body: Buffer): Buffer {
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from(name), body, Buffer.alloc(4)])
  chunk.writeUInt32BE(body.length)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return Buffer.concat([onePixel.subarray(0, 33), chunk, onePixel.subarray(33)])
}

const jpeg = await sharp(onePixel).jpeg().toBuffer()

/** A JPEG with a segment APP1 at its beginning. */
function jpegWith(app1: Buffer): Buffer {
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, 0])
  head.writeUInt16BE(app1.length + 2, 4)
  return Buffer.concat([head, app1, jpeg.subarray(2)])
}

/** The least block with a user comment. */
function exifWith(order: 'MM' | 'II', comment: Buffer): Buffer {
  const block = Buffer.alloc(44)
  const short = (value: number, at: number) => (order === 'MM' ? block.writeUInt16BE(value, at) : block.writeUInt16LE(value, at))
  const long = (value: number, at: number) => (order === 'MM' ? block.writeUInt32BE(value, at) : block.writeUInt32LE(value, at))
  block.write(order)
  short(42, 2)
  long(8, 4)
  // One entry each: the directory of Exif, and in that the comment.
  ;[8, 26].forEach(at => short(1, at))
  ;[[0x8769, 4, 1, 26] as const, [0x9286, 7, comment.length, 44] as const].forEach(([tag, type, count, value], index) => {
    const at = 10 + 18 * index
    short(tag, at)
    short(type, at + 2)
    long(count, at + 4)
    long(value, at + 8)
  })
  return Buffer.concat([block, comment])
}

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

  test.each([
    ['an alien text', 'tEXt', Buffer.from('parameters\0Gr\xfc\xdfe', 'latin1'), 'Grüße'],
    ['UTF-8 where it should be Latin-1', 'tEXt', Buffer.from('parameters\0猫', 'utf8'), '猫'],
    [
      'a compressed text',
      'zTXt',
      Buffer.concat([Buffer.from('parameters\0\0'), deflateSync(Buffer.from('Gr\xfc\xdfe', 'latin1'))]),
      'Grüße'
    ],
    ['an international text', 'iTXt', Buffer.from('parameters\0\0\0de\0Schlüssel\0猫'), '猫'],
    ['international and compressed', 'iTXt', Buffer.concat([Buffer.from('parameters\0\x01\0\0\0'), deflateSync('猫')]), '猫'],
    ['a text that is not what it says', 'zTXt', Buffer.from('parameters\0\0nonsense'), undefined],
    [
      'a text that would be enormous',
      'zTXt',
      Buffer.concat([Buffer.from('parameters\0\0'), deflateSync(Buffer.alloc(2 ** 26))]),
      undefined
    ],
    ['a chunk that ends within its keyword', 'iTXt', Buffer.from('parameters'), undefined]
  ])('has its text: %s', async (_, name, body, text) => {
    expect(await readParameters(pngWith(name, body))).toEqual({ parameters: undefined, text })
  })

  test.each([
    ['big-endian in a big-endian block', 'MM', 'UNICODE\0', (text: string) => Buffer.from(text, 'utf16le').swap16()],
    ['little-endian in a big-endian block', 'MM', 'UNICODE\0', (text: string) => Buffer.from(text, 'utf16le')],
    ['big-endian in a little-endian block', 'II', 'UNICODE\0', (text: string) => Buffer.from(text, 'utf16le').swap16()],
    ['little-endian with a mark', 'MM', 'UNICODE\0', (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-8 that says it is Unicode', 'II', 'UNICODE\0', (text: string) => Buffer.from(text)],
    ['UTF-8 that says it is ASCII', 'II', 'ASCII\0\0\0', (text: string) => Buffer.from(text)],
    ['UTF-8 that says nothing', 'MM', '\0'.repeat(8), (text: string) => Buffer.from(`${text}\0\0`)]
  ] as const)('has its user comment: %s', async (_, order, code, encode) => {
    const text = 'eine Katze, 猫 ü\nSteps: 20, Sampler: Euler a'
    const block = exifWith(order, Buffer.concat([Buffer.from(code, 'latin1'), encode(text)]))
    expect(await readParameters(jpegWith(Buffer.concat([Buffer.from('Exif\0\0'), block])))).toEqual({
      parameters: undefined,
      text
    })
  })

  test('has no text where the user comment is something else or damaged', async () => {
    const comment = Buffer.from(`ASCII\0\0\0Screenshot${' '.repeat(50_000)}.`)
    expect(
      (await readParameters(jpegWith(Buffer.concat([Buffer.from('Exif\0\0'), exifWith('MM', comment)])))).text
    ).toBeUndefined()
    const whole = exifBlock('Steps: 3', { width: 2, height: 2 })
    for (let end = 0; end < whole.length; end += 3) expect(() => userCommentIn(whole.subarray(0, end))).not.toThrow()
    for (let at = 0; at + 4 <= whole.length; at++)
      expect(() => userCommentIn(Buffer.from(whole).fill(0xff, at, at + 4))).not.toThrow()
  })

  test('whose extended XMP lacks a part, or comes in another order, is read as far as it is whole', async () => {
    const texts = { prompt: '猫'.repeat(30_000) }
    const file = await imageWith(texts).toBuffer('jpeg')
    const places = [...file.toString('latin1').matchAll(/\xff\xe1..http:\/\/ns.adobe.com\/xmp\/extension\//gs)].map(
      ({ index }) => index
    )
    const parts = places.map(at => file.subarray(at, at + 2 + file.readUInt16BE(at + 2)))
    expect(parts.length).toBeGreaterThan(2)
    const [before, behind] = [file.subarray(0, places[0]), file.subarray(places.at(-1)! + parts.at(-1)!.length)]
    const read = async (...order: Buffer[]) => (await readParameters(Buffer.concat([before, ...order, behind]))).parameters
    expect(await read(...parts.toReversed())).toEqual({ ...PARAMETERS, ...texts })
    expect(await read(...parts.slice(1))).toBeUndefined()
    expect(await read(...parts.slice(0, -1))).toBeUndefined()
    expect(await read(...parts, parts[0]!)).toBeUndefined()
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
