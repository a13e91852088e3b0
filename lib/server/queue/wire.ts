/**
 * Work and results as text, and the files in them beside it, by the name of the part: a job's record stays a few KiB, whatever
 * was sent with it.
 */
export interface Parted {
  text: string
  parts: Map<string, Uint8Array>
}

const MARK = '$part'

/**
 * @param prefix what the names of the parts begin with
 * @param known the names of files that have been put away before
 */
export function part(value: unknown, prefix = '', known = new WeakMap<Uint8Array, string>()): Parted {
  const parts = new Map<string, Uint8Array>()
  // JSON.stringify asks a Buffer for a list of its bytes before it asks anybody else.
  const without = (each: unknown): unknown => {
    if (each instanceof Uint8Array) {
      const name = known.get(each) ?? `${prefix}${parts.size}`
      if (!known.has(each)) parts.set(name, each)
      return { [MARK]: name }
    }
    if (Array.isArray(each)) return each.map(without)
    if (each === null || typeof each !== 'object') return each
    return Object.fromEntries(Object.entries(each).map(([name, field]) => [name, without(field)]))
  }
  return { text: JSON.stringify(without(value)), parts }
}

/** The names of the parts that a text has. */
export function partsIn(text: string): string[] {
  const names: string[] = []
  JSON.parse(text, (_, each: unknown) => {
    const name = nameIn(each)
    if (name !== undefined) names.push(name)
    return each
  })
  return names
}

/** The value, with its files in their places. Undefined where one of them is there no longer. */
export function join(text: string, parts: ReadonlyMap<string, Uint8Array>): unknown {
  let whole = true
  const value = JSON.parse(text, (_, each: unknown) => {
    const name = nameIn(each)
    if (name === undefined) return each
    const bytes = parts.get(name)
    if (bytes === undefined) whole = false
    return bytes
  }) as unknown
  return whole ? value : undefined
}

function nameIn(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const name = (value as Record<string, unknown>)[MARK]
  return typeof name === 'string' ? name : undefined
}
