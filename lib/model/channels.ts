import { WuerstchenError } from '../errors.js'
import type { StageName } from '../native.js'
import type { TensorSpec } from '../tensor-spec.js'
import type { Manifest } from './manifest.js'

/** Channels of Stage C's embeddings, as the model's programs describe them; 16 in every published checkpoint. */
export function embeddingChannels({ stages }: Pick<Manifest, 'stages'>): number {
  return (
    channelsOf(stages, 'prior', 'step', 'latents') ??
    channelsOf(stages, 'decoder', 'condition', 'embeddings') ??
    missing('decoder', 'embeddings')
  )
}

/** Channels of Stage B's latents, as the model's programs describe them; 4 in every published checkpoint. */
export function latentChannels({ stages }: Pick<Manifest, 'stages'>): number {
  return (
    channelsOf(stages, 'decoder', 'step', 'latents') ??
    channelsOf(stages, 'vqDecoder', 'forward', 'latents') ??
    missing('decoder', 'latents')
  )
}

/** Channels of text embeddings for a half of the model; undefined if its programs do not fix them. */
export function textChannels({ stages }: Pick<Manifest, 'stages'>, half: 'prior' | 'decoder'): number | undefined {
  const channels = inputOf(stages, half, 'condition', 'text')?.shape[2]
  return typeof channels === 'number' ? channels : undefined
}

function channelsOf(stages: Manifest['stages'], stage: StageName, functionName: string, input: string): number | undefined {
  const channels = inputOf(stages, stage, functionName, input)?.shape[1]
  return typeof channels === 'number' ? channels : undefined
}

/** All artefacts of a stage are the same network, so the first one is enough. */
function inputOf(stages: Manifest['stages'], stage: StageName, functionName: string, input: string): TensorSpec | undefined {
  return stages[stage]?.artefacts[0]?.functions[functionName]?.inputs.find(({ name }) => name === input)
}

function missing(stage: StageName, input: string): never {
  throw new WuerstchenError(
    'MODEL_INVALID',
    `Expected a number of channels for the input ${input} of the stage ${stage} but the manifest has none`,
    {
      subject: stage
    }
  )
}
