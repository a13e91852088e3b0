/** A space in the reference's regular expressions: Unicode's White_Space. JavaScript's `\s` includes U+FEFF and lacks U+0085. */
const SPACES = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'

/**
 * Letters and digits of Unicode 17, which newer Nodes know and the reference does not: its regular expressions (Oniguruma in the
 * library tokenizers 0.23) have Unicode 16, as the oldest Node has. So a text has the same tokens with each Node.
 * `scripts/checks/hostile-texts.mjs --characters` asks the reference about all characters.
 */
const LATER = [
  '88F C5C CDC A7CE-A7CF A7D2 A7D4 A7F1 10940-10959 10EC5-10EC7 11DB0-11DDB 11DE0-11DE9 16EA0-16EB8 16EBB-16ED3 16FF2-16FF6',
  '187F8-187FF 18D09-18D1E 18D80-18DF2 1E6C0-1E6DE 1E6E0-1E6E2 1E6E4-1E6E5 1E6E7-1E6ED 1E6F0-1E6F4 1E6FE-1E6FF 2B73A-2B73F',
  '2CEA2-2CEAD 323B0-33479'
]
  .join(' ')
  .replace(/[0-9A-F]+/g, point => String.fromCodePoint(parseInt(point, 16)))
  .replaceAll(' ', '')

/** A pattern of the reference as one of JavaScript that means the same, with the flag `u`. */
export function inReferenceCharacters(pattern: string): string {
  return pattern.replace(/\[[^\]]*\]|\\[sS]|\\p\{[LN]\}/g, part => {
    if (part === '\\S') return `[^${SPACES}]`
    const set = part.startsWith('[') ? part.replaceAll('\\s', SPACES) : `[${part === '\\s' ? SPACES : part}]`
    if (!/\\p\{[LN]\}/.test(set)) return set
    return set.startsWith('[^') ? `(?:${set}|[${LATER}])` : `(?:(?![${LATER}])${set})`
  })
}
