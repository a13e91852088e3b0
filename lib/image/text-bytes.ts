/** UTF-8 where it can be that, else Latin-1. Latin-1 that happens to be UTF-8 does not occur in texts. */
export function byteText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}

/**
 * A text without the white space and zero bytes at its end. A regular expression would look at each space of a long run again
 * and again.
 */
export function withoutPadding(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === '\0' || text[end - 1]!.trim() === '')) end -= 1
  return text.slice(0, end)
}
