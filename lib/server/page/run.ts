import type { Ask } from './ask.js'

export type RunState = 'sending' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** What `parameters` of a picture tells, as far as the page shows it. */
export interface Parameters {
  prompt: string
  negativePrompt: string
  width: number
  height: number
  priorTimesteps?: number[]
  priorGuidanceScale?: number
  decoderTimesteps?: number[]
  decoderGuidanceScale?: number
  decoderStrength?: number
  input?: { operation: string; strength?: number; maskSha256?: string }
  model: { name: string }
  device: string
  dtype: string
}

export interface Picture {
  file: Blob
  seed: number
  parameters: Parameters
}

/** One picture of a run, from nothing to finished. */
export interface Slot {
  stage?: 'prior' | 'decoder' | 'vqDecoder'
  step: number
  steps: number
  preview?: Blob
  picture?: Picture
}

/** One press of the button: what was asked, and what has come of it. */
export interface Run {
  id: string
  at: number
  ask: Ask
  state: RunState
  job?: string
  /** How many jobs start before it. */
  position?: number
  slots: Slot[]
  timings?: Record<string, number>
  /** What was cut off texts that were too long. */
  cut?: string[]
  problem?: string
}

export function createRun(ask: Ask): Run {
  return {
    id: createId(),
    at: Date.now(),
    ask,
    state: 'sending',
    slots: Array.from({ length: ask.count }, () => ({ step: 0, steps: 0 }))
  }
}

export function isOver({ state }: Run): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
function createId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(36)).join('-')
}
