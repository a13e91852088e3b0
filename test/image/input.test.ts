import { openAsBlob } from 'node:fs'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { readParameters } from '../../lib/index.js'
import { captureImage } from '../../lib/image/input.js'
import { readMask, readSource } from '../../lib/image/source.js'
import { withDirectory } from '../support/small-model.js'

const RED_LEFT = { data: Uint8Array.from([255, 0, 0, 0, 0, 255]), width: 2, height: 1 }
const read = async (value: unknown) => readSource(captureImage('image', value))
const refused = expect.objectContaining({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT' }) as Error

/** A picture that says where up is: black above, white below. */
const upright = () =>
  sharp({ create: { width: 32, height: 48, channels: 3, background: '#ffffff' } }).composite([
    { input: { create: { width: 32, height: 24, channels: 3, background: '#000000' } }, top: 0, left: 0 }
  ])

const png = () => upright().png().toBuffer()

describe('pictures of every kind become upright RGB', () => {
  test.each(['png', 'jpeg', 'webp', 'avif'] as const)('%s', async format => {
    const file = await upright().toFormat(format, { quality: 95 }).toBuffer()
    for (const value of [file, new Uint8Array(file), file.buffer.slice(file.byteOffset, file.byteOffset + file.length)]) {
      const { pixels, sha256 } = await read(value)
      expect(pixels).toMatchObject({ width: 32, height: 48 })
      expect(pixels.data).toHaveLength(32 * 48 * 3)
      expect(pixels.data[0]).toBeLessThan(8)
      expect(pixels.data.at(-1)).toBeGreaterThan(247)
      expect(sha256).toMatch(/^[0-9a-f]{64}$/)
    }
  })

  test('a path, whatever the file is called, and a file URL', () =>
    withDirectory(async directory => {
      const path = join(directory, 'picture.txt')
      await writeFile(path, await png())
      const [byPath, byUrl, byBytes] = [await read(path), await read(pathToFileURL(path)), await read(await png())]
      expect(byPath).toEqual(byBytes)
      expect(byUrl).toEqual(byBytes)
    }))

  test('a Blob or a File, also one that stands for a file, and one of another library', () =>
    withDirectory(async directory => {
      const path = join(directory, 'a.png')
      await writeFile(path, await png())
      const bytes = await png()
      const others = { size: bytes.length, type: '', arrayBuffer: async () => new Uint8Array(bytes).buffer }
      for (const value of [new Blob([bytes]), new File([bytes], 'a.png'), await openAsBlob(path), others]) {
        expect(await read(value)).toEqual(await read(bytes))
        expect(await readParameters(value)).toEqual({ parameters: undefined, text: undefined })
      }
    }))

  test('no Blob that is too large, that cannot be read, or that gives something else', async () => {
    let reads = 0
    const like = (size: unknown, content: () => unknown) => ({
      size,
      type: '',
      arrayBuffer: () => {
        reads += 1
        return content()
      }
    })
    for (const value of [like(2 ** 40, () => 1), like(NaN, () => 1)]) await expect(read(value)).rejects.toThrow(refused)
    expect(reads).toBe(0)
    const gone = new Error('gone')
    for (const content of [() => Promise.reject(gone), () => 'text', () => undefined, () => new Uint8Array(3)])
      await expect(read(like(3, content))).rejects.toThrow(refused)
    await expect(read(like(3, () => Promise.reject(gone)))).rejects.toMatchObject({ subject: 'image', cause: gone })
    await withDirectory(async directory => {
      const path = join(directory, 'a.png')
      await writeFile(path, await png())
      const blob = await openAsBlob(path)
      await rm(path)
      await expect(read(blob)).rejects.toThrow(refused)
    })
    expect(() =>
      captureImage(
        'image',
        Object.defineProperty({}, 'size', {
          get: () => {
            throw gone
          }
        })
      )
    ).toThrow(refused)
  })

  test('EXIF orientation is applied', async () => {
    // 6: the camera was turned, the file lies on its side.
    const { pixels } = await read(await upright().jpeg({ quality: 95 }).withMetadata({ orientation: 6 }).toBuffer())
    expect(pixels).toMatchObject({ width: 48, height: 32 })
    // What was above is now on the right.
    expect([pixels.data[0]! > 247, pixels.data[47 * 3]! < 8]).toEqual([true, true])
  })

  test('transparency is laid on white, in a mask on black', async () => {
    const clear = await sharp({ create: { width: 2, height: 1, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0.5 } } })
      .png()
      .toBuffer()
    const { pixels } = await read(clear)
    expect(pixels.data[0]).toBe(255)
    expect(Math.abs(pixels.data[1]! - 127)).toBeLessThanOrEqual(1)
    const hole = Uint8Array.from([255, 255, 255, 0])
    expect([...(await read({ data: hole, width: 1, height: 1 })).pixels.data]).toEqual([255, 255, 255])
    expect([...(await readMask(captureImage('mask', { data: hole, width: 1, height: 1 }))).data]).toEqual([0])
  })

  test('grey becomes three equal channels, 16 bits become 8', async () => {
    const grey = await sharp(Uint8Array.from([0, 100, 200]), { raw: { width: 3, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    expect([...(await read(grey)).pixels.data]).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200])
    const deep = await sharp(Uint16Array.from([0, 32768, 65535]), { raw: { width: 1, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    expect((await sharp(deep).metadata()).depth).toBe('ushort')
    expect([...(await read(deep)).pixels.data]).toEqual([0, 128, 255])
  })

  test('every way to store colours becomes 8-bit sRGB', async () => {
    const clear = () =>
      sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 200, g: 50, b: 100, alpha: 0.25 } } })
    const files = [
      clear().png({ palette: true }),
      clear().toColourspace('rgb16').png(),
      clear().webp({ lossless: true }),
      clear().avif({ lossless: true })
    ]
    for (const file of files) {
      const { pixels } = await read(await file.toBuffer())
      expect(pixels.data).toHaveLength(48)
      // A quarter of the colour on white; rounding at 8 bits, twice.
      ;[241, 203, 216].forEach((value, index) => expect(Math.abs(pixels.data[index]! - value)).toBeLessThanOrEqual(2))
    }
    const cmyk = await clear().flatten({ background: '#ffffff' }).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer()
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk')
    const { pixels } = await read(cmyk)
    // Through a printer's profile and back.
    ;[241, 203, 216].forEach((value, index) => expect(Math.abs(pixels.data[index]! - value)).toBeLessThanOrEqual(16))
  })

  test("a mask's black and white stay exactly 0 and 255, in every format without loss", async () => {
    const half = { data: Uint8Array.from({ length: 64 * 64 }, (_, index) => (index % 64 < 32 ? 255 : 0)), width: 64, height: 64 }
    const image = () => sharp(half.data, { raw: { width: 64, height: 64, channels: 1 } })
    for (const value of [
      half,
      await image().png().toBuffer(),
      await image().webp({ lossless: true }).toBuffer(),
      await image().toColourspace('srgb').png().toBuffer()
    ]) {
      expect(Buffer.compare((await readMask(captureImage('mask', value))).data, half.data)).toBe(0)
    }
  })

  test('raw pixels are taken as they are, and copied at once', async () => {
    const data = RED_LEFT.data.slice()
    const captured = captureImage('image', { ...RED_LEFT, data })
    data.fill(7)
    expect([...(await readSource(captured)).pixels.data]).toEqual([255, 0, 0, 0, 0, 255])
  })
})

/** A PNG of 8 pixels that claims to be as large as it likes. */
async function bomb(width: number, height: number): Promise<Buffer> {
  const file = Buffer.from(await png())
  file.writeUInt32BE(width, 16)
  file.writeUInt32BE(height, 20)
  file.writeUInt32BE(crc32(file.subarray(12, 29)), 29)
  return file
}

/** The PNG with the chunk that says it moves. */
async function animatedPng(): Promise<Buffer> {
  const file = await png()
  const body = Buffer.concat([Buffer.from('acTL'), Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(8)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([file.subarray(0, 33), length, body, checksum, file.subarray(33)])
}

const frames = async () =>
  sharp(
    await Promise.all(
      ['#123456', '#fedcba'].map(background =>
        sharp({ create: { width: 8, height: 8, channels: 3, background } })
          .png()
          .toBuffer()
      )
    ),
    { join: { animated: true } }
  )

describe('what is no such picture is refused', () => {
  test.each<[string, () => Promise<Uint8Array> | Uint8Array]>([
    ['no byte', () => new Uint8Array(0)],
    ['one byte', () => Uint8Array.of(0x89)],
    ['text', () => Buffer.from('not a picture')],
    ['SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>')],
    [
      'SVG behind an XML declaration',
      () => Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')
    ],
    ['GIF', () => upright().gif().toBuffer()],
    ['animated GIF', async () => (await frames()).gif().toBuffer()],
    ['TIFF', () => upright().tiff().toBuffer()],
    ['animated WebP', async () => (await frames()).webp().toBuffer()],
    ['animated PNG', animatedPng],
    ['a PNG of 100,000 × 100,000 pixels', () => bomb(100_000, 100_000)],
    ['a PNG of a row too many', () => bomb(8192, 8193)],
    ['a PNG that says more rows than it has', () => bomb(32, 49)]
  ])('%s', async (_name, make) => {
    await expect(read(await make())).rejects.toThrow(refused)
  })

  test.each(['png', 'jpeg', 'webp', 'avif'] as const)('%s that was cut off at any place', async format => {
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 256)
    const file = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .toFormat(format)
      .toBuffer()
    await read(file)
    for (const share of [0.02, 0.1, 0.3, 0.5, 0.7, 0.9]) {
      await expect(read(file.subarray(0, Math.floor(file.length * share))), `${share} of it`).rejects.toThrow(refused)
    }
  })

  const box = (brand: string, compatible = 'mif1') =>
    Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from(`ftyp${brand}\0\0\0\0${brand}${compatible}`, 'latin1')])
  test.each<[string, () => Promise<Uint8Array> | Uint8Array]>([
    ['GIF', () => upright().gif().toBuffer()],
    ['TIFF', () => upright().tiff().toBuffer()],
    ['HEIC', () => box('heic')],
    ['HEIF', () => box('mif1')],
    ['a video', () => box('qt  ', 'mp42')],
    ['BMP', () => Buffer.concat([Buffer.from('BM'), Buffer.alloc(52)])],
    ['JPEG XL', () => Buffer.from([0xff, 0x0a, 0, 0])],
    ['JPEG 2000', () => Buffer.from('\0\0\0\x0cjP  \r\n\x87\n', 'latin1')],
    ['an icon', () => Buffer.from([0, 0, 1, 0, 1, 0])],
    ['PSD', () => Buffer.from('8BPS\0\x01')],
    ['PDF', () => Buffer.from('%PDF-1.7')],
    ['SVG', () => Buffer.from('\ufeff<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['a web page', () => Buffer.from('\n<!DOCTYPE html><html></html>')],
    ['a pointer of Git LFS', () => Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:')]
  ])('and named: %s', async (name, file) => {
    await expect(read(await file())).rejects.toThrow(`for image but it is ${name}`)
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['an empty path', ''],
    ['a zero byte in a path', 'a\0b'],
    ['an array', [1, 2]],
    ['a Float32Array', new Float32Array(3)],
    ['a DataView', new DataView(new ArrayBuffer(8))],
    ['a web address', new URL('https://example.org/a.png')],
    ['a function', () => 1],
    ['an unknown field', { ...RED_LEFT, size: 2 }],
    ['no data', { width: 1, height: 1 }],
    ['too little data', { ...RED_LEFT, width: 4 }],
    ['five channels', { data: new Uint8Array(5), width: 1, height: 1, channels: 5 }],
    ['channels that do not fit', { ...RED_LEFT, channels: 4 }],
    ['no width', { ...RED_LEFT, width: 0 }],
    ['half a pixel', { ...RED_LEFT, width: 1.5 }],
    ['NaN', { ...RED_LEFT, width: NaN }],
    ['data of floats', { ...RED_LEFT, data: new Float32Array(6) }],
    ['too wide', { data: new Uint8Array(8193), width: 8193, height: 1, channels: 1 }]
  ])('%s', (_name, value) => {
    expect(() => captureImage('image', value)).toThrow(refused)
  })

  test.each([new Response('x'), new ReadableStream(), {}])('%o, and the message names the image', value => {
    expect(() => captureImage('image', value)).toThrow(/^Expected a path, .* for image but received/)
  })

  test('directories, missing files and devices', () =>
    withDirectory(async directory => {
      await mkdir(join(directory, 'folder'))
      await symlink('/dev/zero', join(directory, 'endless'))
      for (const name of ['folder', 'missing.png', 'endless'])
        await expect(read(join(directory, name)), name).rejects.toThrow(refused)
    }))
})
