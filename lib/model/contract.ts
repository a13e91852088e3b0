import { WuerstchenError } from '../errors.js'
import type { FunctionSpec, StageName } from '../native.js'
import type { Artefact } from './manifest.js'

/**
 * The functions that the engine calls in each stage, with the names of their inputs. For `step` they are the inputs before the
 * condition's outputs.
 */
const CALLS: Readonly<Record<StageName, Readonly<Record<string, readonly string[]>>>> = {
  priorTextEncoder: { forward: ['ids', 'mask'] },
  prior: { condition: ['text'], step: ['latents', 'ratio'] },
  decoderTextEncoder: { forward: ['ids', 'mask'] },
  decoder: { condition: ['latents', 'embeddings', 'text'], step: ['latents', 'ratio'] },
  vqDecoder: { forward: ['latents'] },
  vqEncoder: { forward: ['pixels'] },
  imageEncoder: { forward: ['pixels'] },
  previewer: { forward: ['latents'] }
}

/**
 * Makes sure that an artefact is described as the program that its stage needs. A manifest that mixes stages up is then refused
 * when it is loaded, and not while an image is made.
 * @throws WuerstchenError MODEL_INVALID
 */
export function checkFunctions(stage: StageName, { file, functions }: Artefact): void {
  for (const [name, first] of Object.entries(CALLS[stage])) {
    const spec = functions[name]
    const inputs = name === 'step' ? [...first, ...(functions['condition']?.outputs.map(output => output.name) ?? [])] : first
    if (spec !== undefined && namesOf(spec) === inputs.join(', ')) continue
    const found = spec === undefined ? `only ${Object.keys(functions).join(', ')}` : `${name} with ${namesOf(spec) || 'none'}`
    throw new WuerstchenError(
      'MODEL_INVALID',
      `Expected the function ${name} with the inputs ${inputs.join(', ')} for the stage ${stage} but ${file} has ${found}`,
      { subject: stage }
    )
  }
}

function namesOf({ inputs }: FunctionSpec): string {
  return inputs.map(input => input.name).join(', ')
}
