/** What a JSON text may hold. */
export interface JsonBounds {
  /** The most arrays and objects within each other. */
  depth: number
  /** The most values in the text, with those of arrays and objects. */
  values: number
  /** The most values of one array or object. */
  items: number
}

/** Enough for a manifest of every stage in every dtype, on every device; a published one has below 10,000 values. */
export const MANIFEST_BOUNDS: JsonBounds = { depth: 32, values: 200_000, items: 4096 }

/**
 * `JSON.parse` for texts of others. The bounds are checked before anything is made of the text: much that walks through a value
 * calls itself for what is within, and a text of a few kilobytes can be nested deeper than the stack is.
 * @throws SyntaxError for what is no JSON or outside the bounds
 */
export function parseJson(text: string, bounds: JsonBounds): unknown {
  expectBounds(text, bounds)
  return JSON.parse(text) as unknown
}

function expectBounds(text: string, bounds: JsonBounds): void {
  // A text that is no JSON may be counted wrongly: JSON.parse refuses it.
  const items: number[] = []
  let values = 1
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (items.push(1) > bounds.depth) throw new SyntaxError(`it is nested deeper than ${bounds.depth}`)
        if (++values > bounds.values) throw new SyntaxError(`it has more than ${bounds.values} values`)
        break
      case 0x5d: // ]
      case 0x7d: // }
        items.pop()
        break
      case 0x2c: // ,
        if (++items[items.length - 1]! > bounds.items) throw new SyntaxError(`a part of it has more than ${bounds.items} values`)
        if (++values > bounds.values) throw new SyntaxError(`it has more than ${bounds.values} values`)
        break
    }
  }
}

/** Where the string that begins at `start` ends; the end of the text if it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}
