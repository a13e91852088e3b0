import type { PresetName } from '../api/models.js'

/** What somebody asks for, as the form has it and the history keeps it. Undefined: as the model would. */
export interface Ask {
  model: string
  prompt: string
  negativePrompt: string
  /** WIDTHxHEIGHT or auto. */
  size: string
  count: number
  seed: number | undefined
  preset?: PresetName | undefined
  priorSteps: number | undefined
  priorGuidance: number | undefined
  priorSampler?: string | undefined
  decoderSteps: number | undefined
  decoderGuidance: number | undefined
  decoderSampler?: string | undefined
  start: Start | undefined
}

export type Mode = 'vary' | 'edit' | 'mix'

/** A picture to start from, and what to do with it. */
export interface Start {
  mode: Mode
  file: Blob
  name: string
  strength: number | undefined
  /** White where the picture is to change. */
  mask: Blob | undefined
  /** The picture to mix it with, and its share, 0 to 1. */
  second?: Second | undefined
}

export interface Second {
  file: Blob
  name: string
  share: number
}

export function titleOf({ prompt, start }: Ask): string {
  if (prompt !== '') return prompt
  if (start?.mode === 'mix') return `Between ${start.name} and ${start.second?.name ?? 'another picture'}`
  return start === undefined ? 'Without a prompt' : `Near ${start.name}`
}

/** Whether two ask for the same: files count as the same where they are the same object. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (one instanceof Blob || other instanceof Blob) return false
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].every(name => isSame((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]))
}
