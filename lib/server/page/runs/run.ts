import { createId } from '../dom/id.js'
import { tab } from '../dom/tab.js'
import type { Ask } from './ask.js'

export type RunState = 'sending' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** Why a run does not go on for now, though it will. */
export type Hold = 'network' | 'full' | 'key'

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
  priorSampler?: string
  decoderSampler?: string
  decoderStrength?: number
  input?: { operation: string; strength?: number; maskSha256?: string }
  mixedFrom?: { weight: number }[]
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
  /** Steps of the prior, remembered while the decoder works. */
  priorSteps?: number
  preview?: Blob
  picture?: Picture
}

/** One press of the button: what was asked, and what has come of it. */
export interface Run {
  id: string
  at: number
  /** The tab that sends it. */
  tab?: string
  ask: Ask
  state: RunState
  hold?: Hold
  job?: string
  /** What two pictures were mixed to, until the server has it: sent twice it must be the same, to the last bit. */
  mixed?: string
  /** How many jobs start before it. */
  position?: number
  /** When it was first seen to run. */
  startedAt?: number
  /** The server has finished it; the pictures are still to be fetched. */
  ready?: boolean
  slots: Slot[]
  timings?: Record<string, number>
  /** What was cut off texts that were too long. */
  cut?: string[]
  problem?: string
}

let newest = 0

/** No two of a tab are of the same time: that is what orders them. */
export function createRun(ask: Ask): Run {
  newest = Math.max(Date.now(), newest + 1)
  return {
    id: createId(),
    at: newest,
    tab,
    ask,
    state: 'sending',
    slots: Array.from({ length: ask.count }, () => ({ step: 0, steps: 0 }))
  }
}

export function isOver({ state }: Pick<Run, 'state'>): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** How far a picture is, 0 to 1; undefined before its first step. */
export function fractionOf(
  { ask: { decoderSteps } }: Run,
  { stage, step, steps, priorSteps = 0, picture }: Slot
): number | undefined {
  if (picture !== undefined) return 1
  switch (stage) {
    case undefined:
      return undefined
    case 'prior':
      return step / (steps + (decoderSteps ?? Math.ceil(steps / 2)))
    case 'decoder':
      return (priorSteps + step) / (priorSteps + steps)
    case 'vqDecoder':
      return 1
  }
}
