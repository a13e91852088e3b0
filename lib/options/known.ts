import { invalid, show, WuerstchenError } from '../errors.js'
import { isList, reading } from './read.js'

/**
 * Copies the options of a call into an object without a prototype, so that nothing inherited counts as an option. It refuses
 * names that the call does not know, because a misspelt option must never be ignored. An option that is undefined counts as left
 * out. Each option is read once, and all of them before the first is checked.
 */
export function knownOptions<Name extends string>(
  call: string,
  options: unknown,
  names: readonly Name[]
): Partial<Record<Name, unknown>> {
  if (options === undefined) return Object.create(null) as Partial<Record<Name, unknown>>
  const subject = `the options of ${call}`
  if (options === null || typeof options !== 'object' || isList(options) || ArrayBuffer.isView(options)) {
    throw invalid(subject, 'an object', options)
  }
  const copy = Object.create(null) as Record<string, unknown>
  for (const key of reading(subject, () => Object.keys(options))) {
    const value = reading(key, () => (options as Record<string, unknown>)[key])
    if (value === undefined) continue
    if (!(names as readonly string[]).includes(key)) throw unknownOption(call, key, names)
    copy[key] = value
  }
  return copy as Partial<Record<Name, unknown>>
}

function unknownOption(call: string, key: string, names: readonly string[]): WuerstchenError {
  const near = nearest(key, names)
  const hint = near === undefined ? `It knows ${names.join(', ')}` : `Did you mean ${near}?`
  return new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected only known options for ${call} but received ${show(key)} of type string. ${hint}`,
    { subject: key }
  )
}

/** Names from diffusers and other front ends that are spelt too differently from ours to be found by edit distance. */
const RENAMED: Readonly<Record<string, readonly string[]>> = {
  steps: ['priorSteps', 'decoderSteps'],
  numinferencesteps: ['decoderSteps'],
  priornuminferencesteps: ['priorSteps'],
  cfg: ['priorGuidanceScale'],
  cfgscale: ['priorGuidanceScale'],
  guidance: ['priorGuidanceScale', 'decoderGuidanceScale'],
  guidancescale: ['priorGuidanceScale', 'decoderGuidanceScale'],
  timesteps: ['priorTimesteps', 'decoderTimesteps'],
  neg: ['negativePrompt'],
  negative: ['negativePrompt'],
  n: ['numImagesPerPrompt', 'n'],
  count: ['numImagesPerPrompt', 'n'],
  numimages: ['numImagesPerPrompt', 'n'],
  batchsize: ['numImagesPerPrompt', 'n'],
  denoisingstrength: ['strength'],
  text: ['prompt'],
  generator: ['seed'],
  abortsignal: ['signal'],
  callback: ['onStep'],
  imageembeddings: ['embeddings']
}

/** What options are called here that others call `plain`, a name in small letters and digits. */
export function otherNamesOf(plain: string): readonly string[] {
  return Object.hasOwn(RENAMED, plain) ? RENAMED[plain]! : []
}

function nearest(key: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  const renamed = otherNamesOf(plain(key)).filter(name => names.includes(name))
  if (renamed.length > 0) return renamed.join(' or ')
  const [best] = names.map(name => ({ name, far: distance(plain(key).slice(0, 40), plain(name)) })).sort((a, b) => a.far - b.far)
  return best !== undefined && best.far <= Math.max(1, Math.floor(best.name.length / 4)) ? best.name : undefined
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}

/** The entries that have a value: what was left out must not become an option. */
export function defined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>
  }
}
