import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { captureImage } from '../../lib/image/input.js'
import { readMask, readSource } from '../../lib/image/source.js'
import { root } from '../support/small-model.js'

interface Entry {
  file: string
  tolerance: number
  patches: number[][]
}

const SIDE = 16
const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
const entries = new Map<string, Entry>()
const python = process.env['WUERSTCHEN_TEST_PYTHON'] ?? join(root, '.venv', 'bin', 'python')

beforeAll(() => {
  execFileSync(python, [join(root, 'test', 'image', 'colours.py'), folder], { stdio: ['ignore', 'ignore', 'inherit'] })
  for (const entry of JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Entry[]) entries.set(entry.file, entry)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const fileOf = (name: string) => readFileSync(join(folder, name))
const read = async (bytes: Buffer) => (await readSource(captureImage('image', bytes))).pixels

/** What is further from the expected patches than the tolerance, in words. */
async function differences(name: string, bytes: Buffer, { patches, tolerance }: Entry): Promise<string[]> {
  const { data, width } = await read(bytes)
  return patches.flatMap((expected, index) => {
    const at = ((SIDE / 2) * width + index * SIDE + SIDE / 2) * 3
    const actual = [...data.subarray(at, at + 3)]
    const far = Math.max(...expected.map((value, channel) => Math.abs(value - actual[channel]!)))
    return far <= tolerance ? [] : [`${name}, patch ${index}: ${actual.join(' ')} instead of ${expected.join(' ')}`]
  })
}

/** A file for each kind of storage. The tolerance stands with each in colours.py: 2/255, and 1/255 where nothing is computed. */
async function checked(belongs: (name: string) => boolean): Promise<{ files: number; wrong: string[] }> {
  const chosen = [...entries.values()].filter(({ file }) => belongs(file))
  const wrong: string[] = []
  for (const entry of chosen) wrong.push(...(await differences(entry.file, fileOf(entry.file), entry)))
  return { files: chosen.length, wrong }
}

describe('what is read is 8-bit sRGB, as a colour-managed viewer shows it', () => {
  const byChunks = /^(gama|chrm|cicp|icc-before|srgb-before|unknown-cicp)/
  test.each([
    ['without a profile, whatever the depth and the channels', 18, (name: string) => name.startsWith('plain')],
    ['by chunks of a PNG, in their order', 70, (name: string) => byChunks.test(name)],
    ['past profiles that are broken or of another kind', 40, (name: string) => name.startsWith('broken')],
    [
      'by ICC profiles, as littlecms has them',
      75,
      (name: string) => !name.startsWith('plain') && !name.startsWith('broken') && !byChunks.test(name)
    ]
  ])('%s', async (_name, least, belongs) => {
    const { files, wrong } = await checked(belongs)
    expect(wrong).toEqual([])
    expect(files).toBeGreaterThanOrEqual(least)
  })

  const avif = async (name: string, bitdepth: 8 | 10 | 12) =>
    sharp(fileOf(name)).keepIccProfile().avif({ lossless: true, bitdepth, chromaSubsampling: '4:4:4' }).toBuffer()

  test.each([10, 12] as const)('AVIF of %i bits with and without a profile', async bits => {
    for (const name of ['plain-16.png', 'plain-alpha-16.png', 'p3-16.png', 'adobe-16.png', '2020-alpha-16.png', 'table-16.png']) {
      const bytes = await avif(name, bits)
      expect((await sharp(bytes).metadata()).depth).toBe('ushort')
      // The tolerance of the PNG, and a step for what 10 bits cannot say.
      expect(await differences(name, bytes, { ...entries.get(name)!, tolerance: 3 }), name).toEqual([])
    }
  })

  /** Code points of ITU-T H.273, and the PNG whose cICP chunk says the same: its patches are the formula's. */
  const CODED: [primaries: number, transfer: number, same: string][] = [
    [1, 13, 'plain-8.png'],
    [1, 1, 'plain-8.png'],
    [2, 2, 'plain-8.png'],
    [12, 13, 'cicp-p3-8.png'],
    [12, 2, 'cicp-p3-8.png'],
    [9, 4, 'cicp-2020-2.2-8.png'],
    [1, 8, 'cicp-linear-8.png'],
    [1, 5, 'gama-2.8-8.png'],
    [9, 16, 'cicp-pq-8.png'],
    [9, 18, 'cicp-hlg-8.png']
  ]
  test.each(CODED)('AVIF whose nclx has primaries %i and transfer %i', async (primaries, transfer, same) => {
    for (const bits of [8, 10] as const) {
      const bytes = await avif(bits === 8 ? 'plain-8.png' : 'plain-16.png', bits)
      const at = bytes.indexOf('colrnclx')
      expect(at).toBeGreaterThan(0)
      bytes.writeUInt16BE(primaries, at + 8)
      bytes.writeUInt16BE(transfer, at + 10)
      // A value may be off by a step as AVIF stores it, which is many steps of sRGB where the light of dark values is linear.
      const { patches } = entries.get(same)!
      const wrong = await differences(same, bytes, { file: same, tolerance: 3, patches })
      expect(wrong.filter(line => !/, patch [478]:/.test(line))).toEqual([])
    }
  })

  test('masks are read in the same way', async () => {
    for (const name of [
      'grey-1.0-16.png',
      'grey-1.8-8.png',
      'gama-grey-8.png',
      'gama-grey-16.png',
      'plain-grey-1.png',
      'grey-1.8.jpeg'
    ]) {
      const { data, width } = await readMask(captureImage('mask', fileOf(name)))
      const { patches, tolerance } = entries.get(name)!
      patches.forEach(([expected], index) => {
        const actual = data[(SIDE / 2) * width + index * SIDE + SIDE / 2]!
        // Black up to 8, white from 247, in JPEG up to 40 and from 215: they are stretched, and what is off with them.
        const noise = name.endsWith('.jpeg') ? 40 : 8
        const stretched = (255 * Math.min(255 - 2 * noise, Math.max(0, expected! - noise))) / (255 - 2 * noise)
        expect(Math.abs(actual - stretched), `${name}, patch ${index}`).toBeLessThanOrEqual(tolerance * 1.5 + 0.5)
      })
    }
  })
})
