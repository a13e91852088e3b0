import { sendForJson } from './send.js'

export type PresetName = 'reference' | 'balanced' | 'fast'

/** What a preset stands for. */
export interface Preset {
  prior_sampler: string
  prior_steps: number
  decoder_sampler: string
  decoder_steps: number
}

/** A model as `/v1/models` tells of it. */
export interface Model {
  id: string
  alias_of: string | null
  state: 'unloaded' | 'loading' | 'ready' | 'failed'
  license: string
  hash: string
  reads_images: boolean
  sides: number[]
  default_size: string
  presets: Partial<Record<PresetName, Preset>>
  default_prior_steps: number
  default_prior_guidance_scale: number
  default_decoder_steps: number
  default_decoder_guidance_scale: number
  default_vary_strength: number
  default_edit_strength: number
  default_masked_edit_strength: number
}

/** The most that the server takes on, and what it has to choose from. */
export interface Limits {
  images: number
  priorSteps: number
  decoderSteps: number
  guidance: number
  samplers: readonly string[]
}

interface FieldSchema {
  maximum?: number
  enum?: string[]
  anyOf?: Omit<FieldSchema, 'anyOf'>[]
}
interface Document {
  paths: Record<
    string,
    { post: { requestBody: { content: Record<string, { schema: { properties: Record<string, FieldSchema> } }> } } }
  >
}

export async function loadModels(): Promise<Model[]> {
  const { data } = await sendForJson<{ data: Model[] }>('v1/models')
  // Other names of a model are for clients that have names built in.
  return data.filter(model => model.alias_of === null)
}

/** From the OpenAPI document, which is made from what requests are checked with. */
export async function loadLimits(): Promise<Limits> {
  const { paths } = await sendForJson<Document>('openapi.json')
  const { properties } = Object.entries(paths).find(([path]) => path.endsWith('/v1/images/generations'))![1].post.requestBody
    .content['application/json']!.schema
  const most = (name: string) => {
    const { maximum, anyOf = [] } = properties[name] ?? {}
    return maximum ?? anyOf.find(each => each.maximum !== undefined)?.maximum ?? Number.MAX_SAFE_INTEGER
  }
  const oneOf = (name: string) => {
    const { enum: values, anyOf = [] } = properties[name] ?? {}
    return values ?? anyOf.find(each => each.enum !== undefined)?.enum ?? []
  }
  return {
    images: most('n'),
    priorSteps: most('prior_steps'),
    decoderSteps: most('decoder_steps'),
    guidance: most('prior_guidance_scale'),
    samplers: oneOf('prior_sampler')
  }
}
