import { extname } from 'node:path'
import { invalid } from '../errors.js'
import type { ImageFormat } from '../index.js'
import { FORMATS } from '../internal.js'

/** What is known of an image before it is made, and all of it afterwards. */
export interface Planned {
  seed?: number | undefined
  prompt?: string | undefined
}

/** What may stand in braces in a file name. */
const PLACEHOLDERS = ['index', 'seed', 'prompt'] as const
type Placeholder = (typeof PLACEHOLDERS)[number]

type Part = string | { placeholder: Placeholder }

/** Bytes of a prompt in a file name. A file system gives a name 255, and needs some for the rest. */
const PROMPT_BYTES = 120

/** A name for each image of a call, made of the folder, literal parts and placeholders. */
export class OutputNames {
  readonly #folder: string
  readonly #parts: readonly Part[]

  /**
   * `cat.png` is the name of a single image, and becomes `cat-1.png`, `cat-2.png`, … for several. `{{` and `}}` are braces.
   * @throws WuerstchenError INVALID_ARGUMENT
   */
  constructor(output: string | undefined, format: ImageFormat | undefined, images: number) {
    const pattern = output ?? `wuerstchen-{seed}${FORMATS[format ?? 'png'].extensions[0]}`
    const slash = pattern.lastIndexOf('/') + 1
    this.#folder = pattern.slice(0, slash)
    if (PLACEHOLDERS.some(name => this.#folder.includes(`{${name}}`)))
      throw invalid('--output', 'placeholders in the name of the file and none in its folder', pattern)
    const parts = partsOf(pattern.slice(slash), pattern)
    const plain = parts.every(part => typeof part === 'string')
    this.#parts = plain && images > 1 ? numbered(parts.join('')) : parts
  }

  /**
   * The names; undefined for one that needs what is not known yet. Two images never get one name: the second gets a number.
   */
  of(images: readonly Planned[]): (string | undefined)[] {
    const taken = new Set<string>()
    return images.map((image, index) => {
      const name = this.#name(image, index)
      if (name === undefined) return undefined
      const free = firstFree(name, taken)
      taken.add(free)
      return this.#folder + free
    })
  }

  #name({ seed, prompt }: Planned, index: number): string | undefined {
    const values: Record<Placeholder, string | undefined> = {
      index: String(index + 1),
      seed: seed === undefined ? undefined : String(seed),
      prompt: prompt === undefined ? undefined : promptInName(prompt)
    }
    const texts = this.#parts.map(part => (typeof part === 'string' ? part : values[part.placeholder]))
    return texts.includes(undefined) ? undefined : texts.join('')
  }
}

function partsOf(name: string, pattern: string): Part[] {
  return name.split(/(\{\{|\}\}|\{[^{}]*\}|%\d*d)/).map(part => {
    if (part === '{{' || part === '}}') return part[0]!
    if (/^%\d*d$/.test(part))
      throw invalid('--output', `a name without ${part}`, pattern, 'Write {index} for the number of the image')
    if (!/^\{.*\}$/.test(part)) return part
    const placeholder = PLACEHOLDERS.find(each => part === `{${each}}`)
    if (placeholder !== undefined) return { placeholder }
    const known = PLACEHOLDERS.map(each => `{${each}}`).join(', ')
    throw invalid('--output', `one of ${known} where it has ${part}`, pattern, 'Write {{ and }} for braces')
  })
}

function numbered(name: string): Part[] {
  const [stem, extension] = split(name)
  return [`${stem}-`, { placeholder: 'index' }, extension]
}

function firstFree(name: string, taken: ReadonlySet<string>): string {
  const [stem, extension] = split(name)
  for (let number = 2, free = name; ; number++) {
    if (!taken.has(free)) return free
    free = `${stem}-${number}${extension}`
  }
}

function split(name: string): [stem: string, extension: string] {
  const extension = extname(name)
  return [name.slice(0, name.length - extension.length), extension]
}

/** A prompt as a part of a file name that needs no quotes and hides nothing: `a cat/dog` is `a-cat-dog`. */
function promptInName(prompt: string): string {
  const words = prompt.normalize('NFC').replace(/[\s\p{C}\p{Z}/\\:*?"'`<>|$&;!(){}[\]#~%]+/gu, '-')
  let text = ''
  for (const character of words.replace(/^[-.]+/, '')) {
    if (Buffer.byteLength(text + character) > PROMPT_BYTES) break
    text += character
  }
  return text.replace(/[-.]+$/, '') || 'image'
}
