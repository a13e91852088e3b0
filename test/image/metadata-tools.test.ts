import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { pythonClients } from '../../scripts/setup/clients.mjs'
import { readParameters } from '../../lib/index.js'
import { toWebuiText } from '../../lib/image/parameters.js'
import { imageWith, PARAMETERS } from '../support/described-image.js'
import { has } from '../support/programs.mjs'
import { withDirectory } from '../support/small-model.js'

/** What programs of others do to metadata, and what they read. Files of every format are rewritten by each, and read back. */

const FORMATS = ['png', 'jpeg', 'webp'] as const
const MADE = { ...PARAMETERS, prompt: 'a „cät“ & <b>"q"</b>, 猫\nsecond line' }
const TEXT = toWebuiText(MADE)
const SOURCE = 'http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia'

const run = promisify(execFile)
const output = async (program: string, ...args: string[]) => (await run(program, args, { maxBuffer: 2 ** 26 })).stdout

/** A file of ours, and another for what a program makes of it. */
async function withFile(format: string, use: (file: string, made: string) => Promise<void>, parameters = {}): Promise<void> {
  await withDirectory(async directory => {
    const [file, made] = [join(directory, `a.${format}`), join(directory, `b.${format}`)]
    writeFileSync(file, await imageWith({ ...MADE, ...parameters }).toBuffer(format as 'png'))
    await use(file, made)
  })
}

async function expectKept(file: string): Promise<void> {
  expect(await readParameters(readFileSync(file))).toEqual({ parameters: MADE, text: TEXT })
}

describe.each(FORMATS)('a %s file', format => {
  describe.runIf(has('exiftool'))('and ExifTool', () => {
    test('it finds nothing wrong, and reads the text, the marking and the colour space', () =>
      withFile(format, async file => {
        const report = await output('exiftool', '-validate', '-warning', '-error', '-a', '-s3', file)
        expect(report.trim()).toBe('OK')
        const [found] = JSON.parse(
          await output(
            'exiftool',
            '-json',
            '-G1',
            '-PNG:Parameters',
            '-UserComment',
            '-ColorSpace',
            '-DigitalSourceType',
            '-XMP-wuerstchen:all',
            file
          )
        ) as [Record<string, string>]
        expect(found).toMatchObject(
          format === 'png'
            ? { 'PNG:Parameters': TEXT, 'XMP-iptcExt:DigitalSourceType': SOURCE }
            : { 'ExifIFD:UserComment': TEXT, 'ExifIFD:ColorSpace': 'sRGB', 'XMP-iptcExt:DigitalSourceType': SOURCE }
        )
      }))

    test('it finds nothing wrong with parameters that are longer than a segment', () =>
      withFile(
        format,
        async file => {
          expect((await output('exiftool', '-validate', '-warning', '-error', '-a', '-s3', file)).trim()).toBe('OK')
          const json = await output('exiftool', '-b', '-XMP-wuerstchen:wuerstchen', file)
          expect((JSON.parse(json) as typeof MADE).prompt).toBe('猫'.repeat(32_000))
        },
        { prompt: '猫'.repeat(32_000) }
      ))

    test.each([
      ['as it writes by itself', []],
      ['in short forms', ['-api', 'Compact=Shorthand']],
      ['without line breaks', ['-api', 'Compact=NoNewline,NoIndent,NoPadding']]
    ])('a tag is added %s', (_, options) =>
      withFile(format, async file => {
        await output('exiftool', '-q', '-overwrite_original', ...options, '-XMP-dc:Creator=me', file)
        await expectKept(file)
      })
    )

    test('the text is left where XMP was removed', () =>
      withFile(format, async file => {
        await output('exiftool', '-q', '-overwrite_original', '-XMP:all=', file)
        const { parameters, text } = await readParameters(readFileSync(file))
        expect({ parameters, text }).toEqual({ parameters: format === 'png' ? MADE : undefined, text: TEXT })
      }))

    test('nothing is left where everything was removed', () =>
      withFile(format, async file => {
        await output('exiftool', '-q', '-overwrite_original', '-all=', file)
        expect(await readParameters(readFileSync(file))).toEqual({ parameters: undefined, text: undefined })
      }))
  })

  describe.runIf(has('exiv2'))('and Exiv2', () => {
    test('it reads the text and the marking', () =>
      withFile(format, async file => {
        expect(await output('exiv2', '-K', 'Xmp.iptcExt.DigitalSourceType', '-Pt', file)).toBe(`${SOURCE}\n`)
        // It has no names for PNG text.
        if (format !== 'png') expect(await output('exiv2', '-K', 'Exif.Photo.UserComment', '-Pt', file)).toContain(TEXT)
      }))

    test('a tag is added', () =>
      withFile(format, async file => {
        await output('exiv2', '-Mset Xmp.dc.creator me', file)
        await expectKept(file)
      }))
  })

  test.runIf(has('test/clients'))('Pillow saves it again with what it read, and reads the text as the webui does', () =>
    withFile(format, async (file, made) => {
      const script = join(import.meta.dirname, 'save_again.py')
      expect(JSON.parse(await output(join(pythonClients, 'bin', 'python'), script, file, made))).toBe(TEXT)
      await expectKept(made)
    })
  )

  test.each(['png', 'jpeg', 'webp', 'avif'] as const)('sharp makes a %s file of it, with its metadata', target =>
    withFile(format, async (file, made) => {
      await sharp(file).keepMetadata().toFormat(target).toFile(made)
      const { parameters, text } = await readParameters(readFileSync(made))
      expect(parameters).toEqual(MADE)
      expect(text).toBe(TEXT)
    })
  )
})
