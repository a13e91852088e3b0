import { titleOf } from './ask.js'
import { isOver, type Parameters, type Picture, type Run } from './run.js'

/** A run in a few words: what was asked, and how long it took. */
export function describeRun(run: Run): string {
  const { ask, slots, timings } = run
  const first = slots.find(({ picture }) => picture !== undefined)?.picture?.parameters
  const parts: string[] = []
  if (ask.start !== undefined)
    parts.push(ask.start.mode === 'edit' ? (ask.start.mask === undefined ? 'Edit' : 'Masked edit') : 'Variation')
  if (first !== undefined) parts.push(`${first.width} × ${first.height}`)
  if (slots.length > 1) parts.push(`${slots.length} pictures`)
  if (timings?.['total'] !== undefined) parts.push(duration(timings['total']))
  if (run.state === 'cancelled') parts.push('Cancelled')
  if (!isOver(run)) parts.push(run.state === 'queued' ? 'Waiting' : 'Running')
  return parts.join(' · ')
}

/** Names and values of everything that made a picture. */
export function describePicture({ slots, timings }: Run, { seed, parameters: made }: Picture): [string, string][] {
  const rows: [string, string | undefined][] = [
    ['Prompt', made.prompt || undefined],
    ['Left out', made.negativePrompt || undefined],
    ['Seed', String(seed)],
    ['Size', `${made.width} × ${made.height}`],
    ['Prior', sampling(made.priorTimesteps, made.priorGuidanceScale)],
    ['Decoder', sampling(made.decoderTimesteps, made.decoderGuidanceScale)],
    ['Started from', startOf(made)],
    ['Model', made.model.name],
    ['Computed', `${made.device}, ${made.dtype}`],
    ['Time', timings === undefined ? undefined : times(timings, slots.length)]
  ]
  return rows.filter((row): row is [string, string] => row[1] !== undefined)
}

export function fileName(run: Run, { seed }: Picture): string {
  const words = titleOf(run.ask)
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60)
  return `${words || 'picture'}-${seed}.png`
}

function sampling(timesteps: number[] | undefined, guidance: number | undefined): string | undefined {
  if (timesteps === undefined) return undefined
  return `${timesteps.length - 1} steps${guidance === undefined ? '' : `, guidance ${guidance}`}`
}

function startOf({ input }: Parameters): string | undefined {
  if (input === undefined) return undefined
  return `a picture, strength ${input.strength ?? 0}${input.maskSha256 === undefined ? '' : ', with a mask'}`
}

function times(
  { total = 0, queued = 0, prior = 0, decoder = 0, vqDecoder = 0 }: Record<string, number>,
  pictures: number
): string {
  const stages = `prior ${duration(prior)}, decoder ${duration(decoder)}, pixels ${duration(vqDecoder)}`
  return `${duration(total)}${pictures > 1 ? ` for ${pictures} pictures` : ''}: ${stages}${queued >= 1 ? `, waiting ${duration(queued)}` : ''}`
}

function duration(ms: number): string {
  return ms < 1000
    ? `${Math.round(ms)} ms`
    : ms < 60_000
      ? `${(ms / 1000).toFixed(1)} s`
      : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}
