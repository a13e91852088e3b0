import { setImmediate } from 'node:timers/promises'
import { DATA_URI, LINE_BREAKS } from '../api/base64-text.js'
import { firstOf } from './byte-collector.js'

/** What is decoded before others have their turn. */
const SLICE = 256 * 1024

/** What JSON may write for a character of base64, as some writers do for / and +, and for the line breaks between its lines. */
const ESCAPE = /\\(?:u00([0-7][0-9a-f])|([/nr]))/gi

/** The longest escape, less its last character. */
const LONGEST_PART = 5

/**
 * The file that a JSON string has in base64, with or without `data:` before it. It is decoded slice by slice, so that a large one
 * keeps nobody waiting.
 * @param text what is between the quotes, with JSON's escapes
 * @returns undefined where it is no base64
 */
export async function decodeBase64(text: Buffer): Promise<Buffer | undefined> {
  const file = Buffer.allocUnsafeSlow(Math.ceil((text.length * 3) / 4))
  let [length, rest] = [0, '']
  for (let at = 0; at < text.length; at += SLICE) {
    if (at > 0) await setImmediate()
    const isLast = at + SLICE >= text.length
    const piece = rest + text.toString('latin1', at, at + SLICE)
    const whole = isLast ? piece.length : beforePart(piece)
    const plain = unescape(piece.slice(0, whole)).replace(LINE_BREAKS, '')
    const encoded = at === 0 ? plain.slice(DATA_URI.exec(plain)?.[0].length ?? 0) : plain
    const usable = isLast ? encoded.length : encoded.length - (encoded.length % 4)
    rest = encoded.slice(usable) + piece.slice(whole)
    if (!isBase64(encoded.slice(0, usable), isLast)) return undefined
    length += file.write(encoded.slice(0, usable), length, 'base64')
  }
  return firstOf(file, length)
}

/** Where an escape begins that is cut off at the end of the piece; the length of the piece if there is none. */
function beforePart(piece: string): number {
  const start = piece.indexOf('\\', piece.length - LONGEST_PART)
  return start < 0 ? piece.length : start
}

function unescape(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(ESCAPE, (_, hex: string | undefined, letter: string) =>
    hex !== undefined ? String.fromCharCode(parseInt(hex, 16)) : letter === '/' ? '/' : '\n'
  )
}

function isBase64(text: string, isLast: boolean): boolean {
  return text.length % 4 === 0 && (isLast ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9+/]*$/).test(text)
}
