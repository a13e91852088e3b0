import { readFile } from 'node:fs/promises'
import { WuerstchenError } from '../../errors.js'
import { expectString } from '../../options/is.js'
import { findKey, parseKeys, type ApiKey } from './entries.js'
import { KeyNumbers } from './numbers.js'

/** How many bytes a file of keys may have: a few thousand keys. */
const MOST_BYTES = 1024 * 1024

/**
 * The API keys of a server, which can be replaced while it runs. New keys take the place of all old ones at once; if one of the
 * new ones cannot be used, the old ones stay.
 */
export class ApiKeys {
  readonly #numbers = new KeyNumbers()
  #keys: readonly ApiKey[]
  #file: string | undefined

  /**
   * @param entries `[name:]key[:admin]` each, at least one
   * @param placeOf what an error calls the entry of an index; defaults to its number
   * @throws WuerstchenError INVALID_ARGUMENT
   */
  constructor(entries: readonly string[], placeOf?: (index: number) => string) {
    this.#keys = parseKeys(entries, placeOf, this.#numbers)
  }

  /**
   * The keys of a file, one a line. Lines that are empty or begin with # are skipped.
   * @throws WuerstchenError INVALID_ARGUMENT if the file cannot be read, or has no key, or a line that is none
   */
  static async fromFile(file: string): Promise<ApiKeys> {
    const { entries, placeOf } = await readKeyFile(expectString('file', file))
    const keys = new ApiKeys(entries, placeOf)
    keys.#file = file
    return keys
  }

  /** @throws WuerstchenError INVALID_ARGUMENT; the old keys stay */
  replace(entries: readonly string[]): void {
    this.#keys = parseKeys(entries, undefined, this.#numbers)
  }

  /**
   * Reads the file again that they come from. Keys that do not come from a file stay as they are.
   * @returns how many keys there are then
   * @throws WuerstchenError INVALID_ARGUMENT; the old keys stay
   */
  async reload(): Promise<number> {
    if (this.#file !== undefined) {
      const { entries, placeOf } = await readKeyFile(this.#file)
      this.#keys = parseKeys(entries, placeOf, this.#numbers)
    }
    return this.#keys.length
  }

  /** @internal */
  find(given: string): ApiKey | undefined {
    return findKey(this.#keys, given)
  }
}

/** The lines of a file that are keys, and what errors call them. */
async function readKeyFile(file: string): Promise<{ entries: string[]; placeOf: (index: number) => string }> {
  const refuse = (problem: string, cause?: unknown) =>
    new WuerstchenError('INVALID_ARGUMENT', `Expected a file of API keys at ${file} but ${problem}`, { subject: file, cause })
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw refuse(`reading it failed: ${error.code}`, error)
  })
  if (bytes.length > MOST_BYTES) throw refuse(`it has ${bytes.length} bytes`)
  const lines = bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line, index) => ({ entry: line.trim(), line: index + 1 }))
    .filter(({ entry }) => entry !== '' && !entry.startsWith('#'))
  // Somebody wanted keys: a secret that was not mounted must not open the server.
  if (lines.length === 0) throw refuse('it has none')
  return { entries: lines.map(({ entry }) => entry), placeOf: index => `API key in line ${lines[index]!.line} of ${file}` }
}
