import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { decodeBase64 } from '../../../lib/server/http/base64.js'

/** Longer than several slices, and of no whole number of them. */
const FILE = randomBytes(1_000_003)
const TEXT = FILE.toString('base64')

describe('base64 between the quotes of JSON', () => {
  test.each<[string, string]>([
    ['as it is', TEXT],
    ['with escaped slashes, as PHP writes it', TEXT.replaceAll('/', '\\/')],
    ['with escaped signs, as .NET writes it', TEXT.replaceAll('+', '\\u002B').replaceAll('=', '\\u003d')],
    ['with every character escaped', TEXT.replace(/./g, each => `\\u00${each.charCodeAt(0).toString(16)}`)],
    ['behind data:', `data:image/png;base64,${TEXT}`],
    ['behind data: with a name', `data:image/png;name=a%20b.png;base64,${TEXT}`],
    ['behind an escaped data:', `data:image\\/png;base64,${TEXT.replaceAll('/', '\\/')}`]
  ])('%s is the file', async (_, text) => {
    expect(JSON.parse(`"${text}"`)).toContain(TEXT)
    expect((await decodeBase64(Buffer.from(text)))?.equals(FILE)).toBe(true)
  })

  test.each([
    ['\\n', 76],
    ['\\r\\n', 64],
    ['\\u000a', 76]
  ])('lines that end in %s, of %i letters, are the file', async (end, length) => {
    const text = TEXT.replace(new RegExp(`.{${length}}`, 'g'), `$&${end}`) + end
    expect((await decodeBase64(Buffer.from(text)))?.equals(FILE)).toBe(true)
    expect((await decodeBase64(Buffer.from(`data:image/png;base64,${text}`)))?.equals(FILE)).toBe(true)
  })

  test.each<[string, string]>([
    ['a letter of another alphabet', TEXT.replace('A', '-')],
    ['a sign that ends it in its middle', `${TEXT}${TEXT}`],
    ['a length that is none', TEXT.slice(0, -1)],
    ['an escape of something else', `${TEXT.slice(0, 4000)}\\t${TEXT.slice(4000)}`],
    ['an escape that is cut off', `${TEXT.slice(0, 4000)}\\u00`]
  ])('with %s is none', async (_, text) => {
    expect(await decodeBase64(Buffer.from(text))).toBeUndefined()
  })
})
