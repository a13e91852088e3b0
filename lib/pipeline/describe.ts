import type { GenerationParameters } from '../image/parameters.js'
import type { ModelDirectory } from '../model/manifest.js'
import { defined } from '../options/known.js'
import { recordedOf } from '../options/scalars.js'
import { VERSION } from '../version.js'
import type { Engine } from '../engine/engine.js'
import type { Plan } from '../plan/plan.js'
import { WHOLE_INTERVAL, type Sampling } from '../plan/sampling.js'
import type { Engines } from '../engine/placement.js'

/** The devices and dtypes of a pipeline, as written into every image. */
export interface Surroundings {
  device: string
  dtype: string
  torch: string
}

export function surroundingsOf(engines: Engines, torch: string): Surroundings {
  const all = engines.kind === 'whole' ? [engines.engines[0]!] : [engines.prior, engines.decoder]
  const dtypes = (engine: Engine) => [...engine.choices.values()].map(choice => choice.artefact.dtype)
  const unique = (values: string[]) => [...new Set(values)].join(',')
  return { device: unique(all.map(engine => engine.device)), dtype: unique(all.flatMap(dtypes)), torch }
}

/** All parameters of image `image` of a plan. */
export function describeImage(
  plan: Plan,
  image: number,
  model: ModelDirectory,
  { device, dtype, torch }: Surroundings
): GenerationParameters {
  const origin = plan.embeddings?.origins[image] ?? {}
  const { prompts, negativePrompts } = plan.conditioning
  const index = Math.floor(image / plan.imagesPerPrompt)
  const [prompt, negativePrompt] = [prompts[index]!, negativePrompts[index]!]
  const given = [...(origin.givenTensors ?? []), ...givenTensors(plan)]
  return {
    prompt,
    negativePrompt,
    width: plan.width,
    height: plan.height,
    seed: plan.seeds[image]!,
    ...samplingFields('prior', plan.prior),
    ...fromPrior(origin, prompt, negativePrompt),
    ...(plan.embeddings !== undefined && plan.freshStreams && origin.seed !== undefined
      ? { seed: origin.seed, decoderSeed: plan.seeds[image]! }
      : {}),
    ...samplingFields('decoder', plan.decoder),
    ...(origin.input === undefined ? {} : { input: origin.input }),
    ...(origin.mixedFrom === undefined ? {} : { mixedFrom: origin.mixedFrom }),
    ...(plan.decoderStrength === undefined ? {} : { decoderStrength: plan.decoderStrength }),
    ...(given.length === 0 ? {} : { givenTensors: given }),
    model: { name: model.manifest.name, hash: model.hash },
    device,
    dtype,
    versions: { wuerstchen: VERSION, torch },
    rng: 'torch-cpu'
  }
}

function samplingFields(stage: 'prior' | 'decoder', sampling: Sampling | null): Record<string, unknown> {
  if (sampling === null) return {}
  const scalars = recordedOf(stage).map(({ name, key }) => [name, sampling[key as keyof Sampling]])
  const limited = stage === 'prior' && sampling.guidanceInterval !== WHOLE_INTERVAL
  return {
    [`${stage}Timesteps`]: [...sampling.timesteps],
    ...Object.fromEntries(scalars),
    ...(limited ? { priorGuidanceInterval: sampling.guidanceInterval } : {})
  }
}

/** For a decode: the parameters of the prior, and the decoder's prompts if they differ. */
function fromPrior(origin: Partial<GenerationParameters>, prompt: string, negativePrompt: string): Partial<GenerationParameters> {
  if (origin.prompt === undefined) return {}
  return {
    prompt: origin.prompt,
    negativePrompt: origin.negativePrompt ?? '',
    ...(origin.priorTimesteps === undefined ? {} : { priorTimesteps: origin.priorTimesteps }),
    ...(origin.priorGuidanceInterval === undefined ? {} : { priorGuidanceInterval: origin.priorGuidanceInterval }),
    ...defined(Object.fromEntries(recordedOf('prior').map(({ name }) => [name, origin[name]]))),
    ...(prompt === origin.prompt ? {} : { decoderPrompt: prompt }),
    ...(negativePrompt === (origin.negativePrompt ?? '') ? {} : { decoderNegativePrompt: negativePrompt })
  }
}

/** The names of the options that were given as tensors. Files name them, but do not record their values. */
function givenTensors({ conditioning, latents, decoderSource, embeddings, prior }: Plan): string[] {
  return [
    ...(Object.keys(conditioning.embeds).length > 0 ? ['promptEmbeds'] : []),
    ...(Object.keys(conditioning.negativeEmbeds).length > 0 ? ['negativePromptEmbeds'] : []),
    ...(latents === undefined ? [] : [prior === null ? 'decoderLatents' : 'latents']),
    ...(decoderSource === undefined ? [] : ['decoderSource']),
    ...(embeddings?.origins.some(
      ({ seed, input, mixedFrom }) => seed === undefined && input === undefined && mixedFrom === undefined
    )
      ? ['embeddings']
      : [])
  ]
}
