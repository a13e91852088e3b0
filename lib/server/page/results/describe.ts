import { titleOf } from '../runs/ask.js'
import { isOver, type Hold, type Parameters, type Picture, type Run, type Slot } from '../runs/run.js'

const KINDS = { vary: 'Variation', edit: 'Edit', mix: 'Mix' } as const

/** What is done at a stage, in words of people who do not know its name. */
const STAGES = { prior: 'Composing', decoder: 'Drawing', vqDecoder: 'Finishing' } as const

/** What a run that stands still waits for. */
const HOLDS: Record<Hold, string> = { network: 'the server', full: 'room on the server', key: 'the API key' }

/** A run in a few words: what was asked, and how long it took or will take. */
export function describeRun(run: Run, left: number | undefined): string {
  const { ask, slots, timings } = run
  const first = slots.find(({ picture }) => picture !== undefined)?.picture?.parameters
  const parts: string[] = []
  if (ask.start !== undefined)
    parts.push(ask.start.mode === 'edit' && ask.start.mask !== undefined ? 'Masked edit' : KINDS[ask.start.mode])
  if (first !== undefined) parts.push(`${first.width} × ${first.height}`)
  if (slots.length > 1) parts.push(`${slots.length} pictures`)
  if (timings?.['total'] !== undefined) parts.push(duration(timings['total']))
  if (run.state === 'cancelled') parts.push('Cancelled')
  if (!isOver(run)) {
    parts.push(stateOf(run))
    if (left !== undefined && run.hold === undefined)
      parts.push(`${about(left)}${run.state === 'running' ? ' left' : ' of work'}`)
  }
  return parts.join(' · ')
}

function stateOf({ state, position = 0, hold }: Run): string {
  if (hold !== undefined) return `Waiting for ${HOLDS[hold]}`
  if (state === 'running') return 'Running'
  if (state === 'sending') return 'Sending'
  return position === 0 ? 'Next in line' : `${position} before it`
}

/** What happens to one picture now. */
export function describeSlot({ hold }: Run, { stage, step, steps }: Slot): string {
  if (hold !== undefined) return 'Waiting'
  if (stage === undefined) return 'Starting'
  return stage === 'vqDecoder' ? STAGES[stage] : `${STAGES[stage]} ${step} of ${steps}`
}

/** Names and values of everything that made a picture. */
export function describePicture({ slots, timings }: Run, { seed, parameters: made }: Picture): [string, string][] {
  const rows: [string, string | undefined][] = [
    ['Prompt', made.prompt || undefined],
    ['Left out', made.negativePrompt || undefined],
    ['Seed', String(seed)],
    ['Size', `${made.width} × ${made.height}`],
    ['Composition', sampling(made.priorTimesteps, made.priorGuidanceScale, made.priorSampler)],
    ['Detail', sampling(made.decoderTimesteps, made.decoderGuidanceScale, made.decoderSampler)],
    ['Started from', startOf(made)],
    ['Mixed from', made.mixedFrom?.map(({ weight }) => `${Math.round(weight * 100)} %`).join(' and ')],
    ['Model', made.model.name],
    ['Computed', `${made.device}, ${made.dtype}`],
    ['Time', timings === undefined ? undefined : times(timings, slots.length)]
  ]
  return rows.filter((row): row is [string, string] => row[1] !== undefined)
}

export function fileName(run: Run, { seed }: Picture): string {
  return `${baseName(run)}-${seed}.png`
}

/** The words of a run, as file systems take them. */
export function baseName(run: Run): string {
  const words = titleOf(run.ask)
    .toLowerCase()
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
  // Names have at most 255 bytes, and a letter up to four.
  return [...words].slice(0, 48).join('') || 'picture'
}

/** As roughly as it is known. */
export function about(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 5) return 'a few seconds'
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s`
  return seconds < 3600 ? `about ${Math.round(seconds / 60)} min` : `about ${Math.round(seconds / 3600)} h`
}

function sampling(timesteps: number[] | undefined, guidance: number | undefined, sampler = 'ddpm'): string | undefined {
  if (timesteps === undefined) return undefined
  return `${timesteps.length - 1} steps of ${sampler}${guidance === undefined ? '' : `, guidance ${guidance}`}`
}

function startOf({ input }: Parameters): string | undefined {
  if (input === undefined) return undefined
  return `a picture, strength ${input.strength ?? 0}${input.maskSha256 === undefined ? '' : ', with a mask'}`
}

function times(
  { total = 0, queued = 0, prior = 0, decoder = 0, vqDecoder = 0 }: Record<string, number>,
  pictures: number
): string {
  const stages = `composing ${duration(prior)}, drawing ${duration(decoder)}, finishing ${duration(vqDecoder)}`
  return `${duration(total)}${pictures > 1 ? ` for ${pictures} pictures` : ''}: ${stages}${queued >= 1 ? `, waiting ${duration(queued)}` : ''}`
}

function duration(ms: number): string {
  return ms < 1000
    ? `${Math.round(ms)} ms`
    : ms < 60_000
      ? `${(ms / 1000).toFixed(1)} s`
      : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}
