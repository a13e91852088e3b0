import type { Ask } from '../runs/ask.js'

/** What a picture's file says of how it was made, as far as the form can take it. */
export type Recorded = Omit<Ask, 'start' | 'model'>

/** The parameters stand near the beginning of a PNG; no more of it is read. */
const MOST_BYTES = 1024 * 1024
const MOST_CHUNKS = 64
const MOST_LENGTH = 256 * 1024
const KEYWORD = 'wuerstchen'
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/** The settings in the metadata of a PNG of this package; undefined where there are none that are sound. Never rejects. */
export async function readRecorded(file: Blob): Promise<Recorded | undefined> {
  try {
    const bytes = new Uint8Array(await file.slice(0, MOST_BYTES).arrayBuffer())
    const text = textOf(bytes)
    return text === undefined ? undefined : toRecorded(JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}

/** The text under our keyword: a `tEXt` chunk of ASCII (PNG specification, sections 5.3 and 11.3.4.3). */
function textOf(bytes: Uint8Array): string | undefined {
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) return undefined
  const view = new DataView(bytes.buffer)
  for (let at = SIGNATURE.length, chunk = 0; at + 8 <= bytes.length && chunk < MOST_CHUNKS; chunk++) {
    const length = view.getUint32(at)
    const data = at + 8
    if (ascii(bytes.subarray(at + 4, data)) === 'tEXt' && length <= MOST_LENGTH && data + length <= bytes.length) {
      const [keyword, text] = ascii(bytes.subarray(data, data + length)).split('\0')
      if (keyword === KEYWORD) return text
    }
    // Length, name and checksum take 4 bytes each.
    at = data + length + 4
  }
  return undefined
}

function ascii(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes)
}

/** Whatever a file says, only texts and numbers within the form's own bounds get into the form. */
function toRecorded(made: unknown): Recorded | undefined {
  if (typeof made !== 'object' || made === null) return undefined
  const { prompt, negativePrompt, seed, width, height, ...rest } = made as Record<string, unknown>
  if (typeof prompt !== 'string' || !isWhole(seed) || !isWhole(width) || !isWhole(height)) return undefined
  const number = (value: unknown) => (typeof value === 'number' && value >= 0 && Number.isFinite(value) ? value : undefined)
  return {
    prompt,
    negativePrompt: typeof negativePrompt === 'string' ? negativePrompt : '',
    size: `${width}x${height}`,
    count: 1,
    seed,
    priorSteps: stepsOf(rest['priorTimesteps']),
    priorGuidance: number(rest['priorGuidanceScale']),
    priorSampler: samplerOf(rest['priorSampler']),
    decoderSteps: stepsOf(rest['decoderTimesteps']),
    decoderGuidance: number(rest['decoderGuidanceScale']),
    decoderSampler: samplerOf(rest['decoderSampler'])
  }
}

/** The form takes only what it has to choose from. */
function samplerOf(name: unknown): string | undefined {
  return typeof name === 'string' ? name : undefined
}

/** n noise levels are n - 1 steps. */
function stepsOf(timesteps: unknown): number | undefined {
  return Array.isArray(timesteps) && timesteps.length > 1 ? timesteps.length - 1 : undefined
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
