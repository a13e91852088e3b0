import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { parseJson, type JsonBounds } from '../files/json.js'
import { invalid, WuerstchenError } from '../errors.js'
import { drawSeed, settledSeed } from '../options/seed.js'

/** Every prompt that a call takes, as long as it may be, and more. */
const MOST_BYTES = 256 * 2 ** 20

const LINE_BOUNDS: JsonBounds = { depth: 2, values: 16, items: 16 }
const KEYS = ['prompt', 'negativePrompt', 'seed'] as const

/** Prompts, and what lines of JSON say beside them, one for each prompt. */
export interface Prompts {
  prompt: string[]
  negativePrompt?: string[]
  seeds?: number[]
}

/** The flag of commands that take many prompts. */
export function withPromptsFlag(command: Command): Command {
  return command.option('--prompts <file>', 'file with a prompt a line, as text or as JSON objects; - for stdin')
}

/**
 * What the lines say, with a seed for each image of a prompt.
 * @throws WuerstchenError INVALID_ARGUMENT for what a flag says as well
 */
export function withoutTwice(
  { seeds, ...prompts }: Prompts,
  flags: { negativePrompt?: unknown; seed?: number; seeds?: readonly number[] },
  perPrompt: number
): Prompts {
  if (prompts.negativePrompt !== undefined && flags.negativePrompt !== undefined)
    throw invalid('--negative-prompt', 'nothing beside the negativePrompt of --prompts', flags.negativePrompt)
  if (seeds === undefined) return prompts
  if ((flags.seed ?? flags.seeds) !== undefined)
    throw invalid('--seed', 'nothing beside the seeds of --prompts', flags.seed ?? flags.seeds)
  return { ...prompts, seeds: seeds.flatMap(seed => Array.from({ length: perPrompt }, (_, index) => seed + index)) }
}

interface Line {
  prompt: string
  negativePrompt?: string
  seed?: number
}

/**
 * The prompts of the command line: arguments, of which `-` stands for the lines of stdin, and then the lines of --prompts.
 * Undefined if there are none of all.
 */
export async function promptsOf(args: readonly string[], file: string | undefined): Promise<Prompts | undefined> {
  if (args.filter(arg => arg === '-').length + (file === '-' ? 1 : 0) > 1)
    throw invalid('--prompts', 'stdin only once among the prompts', '-')
  const lines: Line[] = []
  for (const arg of args) lines.push(...(arg === '-' ? await readPrompts('-') : [{ prompt: arg }]))
  if (file !== undefined) lines.push(...(await readPrompts(file)))
  if (lines.length === 0) return undefined
  return {
    prompt: lines.map(({ prompt }) => prompt),
    ...(lines.some(({ negativePrompt }) => negativePrompt !== undefined) && {
      negativePrompt: lines.map(({ negativePrompt }) => negativePrompt ?? '')
    }),
    ...(lines.some(({ seed }) => seed !== undefined) && {
      seeds: lines.map(({ seed }) => (seed === undefined ? drawSeed() : settledSeed(seed)))
    })
  }
}

/** One prompt a line; lines without one are left out. If the first is a JSON object, all are. */
async function readPrompts(file: string): Promise<Line[]> {
  const lines = (await readText(file))
    .split(/\r\n|[\n\r]/)
    .map((text, index) => ({ text, place: `line ${index + 1} of ${file === '-' ? 'stdin' : file}` }))
    .filter(({ text }) => text.trim() !== '')
  if (lines.length === 0) throw unreadable(file, 'at least one prompt', 'it has none')
  if (!lines[0]!.text.trimStart().startsWith('{')) return lines.map(({ text }) => ({ prompt: text.trim() }))
  return lines.map(({ text, place }) => lineOf(text, place))
}

function lineOf(text: string, place: string): Line {
  let value: unknown
  try {
    value = parseJson(text, LINE_BOUNDS)
  } catch (error) {
    throw invalid(place, `a JSON object, as in the first line (${(error as Error).message}),`, text)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw invalid(place, 'a JSON object', value)
  const unknown = Object.keys(value).find(key => !(KEYS as readonly string[]).includes(key))
  if (unknown !== undefined) throw invalid(place, `only ${KEYS.join(', ')}`, unknown)
  const { prompt, negativePrompt, seed } = value as Partial<Record<(typeof KEYS)[number], unknown>>
  if (typeof prompt !== 'string') throw invalid(`prompt in ${place}`, 'a string', prompt)
  if (negativePrompt !== undefined && typeof negativePrompt !== 'string')
    throw invalid(`negativePrompt in ${place}`, 'a string', negativePrompt)
  if (seed !== undefined && typeof seed !== 'number') throw invalid(`seed in ${place}`, 'a number', seed)
  return { prompt, ...(negativePrompt !== undefined && { negativePrompt }), ...(seed !== undefined && { seed }) }
}

/** The file may be a pipe, as the shell makes one of `<(…)`. Ctrl-C ends a process that waits for its writer. */
async function readText(file: string): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
      bytes += (chunk as Buffer).length
      if (bytes > MOST_BYTES) break
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw unreadable(file, 'a file of prompts', `reading it failed: ${(error as NodeJS.ErrnoException).code}`, error)
  }
  if (bytes > MOST_BYTES) throw unreadable(file, `at most ${MOST_BYTES} bytes`, 'it has more')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    throw unreadable(file, 'text in UTF-8', 'it is none', error)
  }
}

function unreadable(file: string, expected: string, found: string, cause?: unknown): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', `Expected ${expected} for --prompts ${file} but ${found}`, {
    subject: file,
    cause
  })
}
