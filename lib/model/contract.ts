import { WuerstchenError } from '../errors.js'
import { isFloating } from '../dtypes.js'
import type { StageName } from '../native.js'
import type { FunctionSpec, TensorSpec } from '../tensor-spec.js'
import { labelOf, librariesOf } from './artefact.js'
import type { Artefact, Manifest } from './manifest.js'
import { PIXELS_PER_LATENT } from './size.js'

/**
 * A tensor of a call: its dtype and its dimensions. `own` is the dtype that the artefact computes in; `own+` is that or float32.
 * A dimension `c` is a number of channels that the model fixes, a number is that number, and `*` is whatever the call has.
 */
type Tensor = readonly [name: string, dtype: 'own' | 'own+' | 'float32' | 'int64', ...dimensions: ('*' | 'c' | number)[]]

interface Call {
  inputs: readonly Tensor[]
  /** Without them, the call gives whatever `step` takes after its own inputs. */
  outputs?: readonly Tensor[]
}

const IMAGE = ['*', 'c', '*', '*'] as const
const PIXELS = ['pixels', 'own', '*', 3, '*', '*'] as const
const LATENTS = ['latents', 'own', ...IMAGE] as const
const EMBEDDINGS = ['embeddings', 'own', ...IMAGE] as const
const TEXT = ['*', '*', 'c'] as const

const ENCODE: Call = {
  inputs: [
    ['ids', 'int64', '*', '*'],
    ['mask', 'int64', '*', '*']
  ],
  outputs: [['embeddings', 'own', ...TEXT]]
}
const STEP: Call = { inputs: [LATENTS, ['ratio', 'float32', '*']], outputs: [['noise', 'own+', ...IMAGE]] }

/**
 * The functions that the engine calls in each stage, with the tensors that it passes and takes (cpp/core). `step` gets the
 * condition's outputs after the inputs here.
 */
const CALLS: Readonly<Record<StageName, Readonly<Record<string, Call>>>> = {
  priorTextEncoder: { forward: ENCODE },
  prior: { condition: { inputs: [['text', 'own', ...TEXT]] }, step: STEP },
  decoderTextEncoder: { forward: ENCODE },
  decoder: { condition: { inputs: [LATENTS, EMBEDDINGS, ['text', 'own', ...TEXT]] }, step: STEP },
  vqDecoder: { forward: { inputs: [LATENTS], outputs: [PIXELS] } },
  vqEncoder: { forward: { inputs: [PIXELS], outputs: [LATENTS] } },
  imageEncoder: { forward: { inputs: [PIXELS], outputs: [EMBEDDINGS] } },
  previewer: { forward: { inputs: [LATENTS], outputs: [PIXELS] } }
}

/**
 * Makes sure that an artefact is described as the program that its stage needs. A manifest that mixes stages up is then refused
 * when it is loaded, and not while an image is made.
 * @throws WuerstchenError MODEL_INVALID
 */
export function checkFunctions(stage: StageName, artefact: Artefact): void {
  const { file, functions } = artefact
  for (const [name, call] of Object.entries(CALLS[stage])) {
    const spec = functions[name]
    const passedOn = name === 'step' ? (functions['condition']?.outputs ?? []) : []
    const inputs = [...call.inputs.map(([input]) => input), ...passedOn.map(output => output.name)]
    if (spec === undefined || namesOf(spec.inputs) !== inputs.join(', ')) {
      const found =
        spec === undefined ? `only ${Object.keys(functions).join(', ')}` : `${name} with ${namesOf(spec.inputs) || 'none'}`
      throw refusal(stage, `the function ${name} with the inputs ${inputs.join(', ')}`, `${file} has ${found}`)
    }
    const outputs = call.outputs?.map(([output]) => output).join(', ')
    if (outputs !== undefined && namesOf(spec.outputs) !== outputs)
      throw refusal(stage, `the function ${name} with the output ${outputs}`, `${file} has ${namesOf(spec.outputs)}`)
    checkTensors(stage, artefact, name, call.inputs, spec.inputs)
    checkTensors(stage, artefact, name, call.outputs ?? [], spec.outputs)
    for (const [index, output] of passedOn.entries())
      checkPassedOn(stage, artefact, output, spec.inputs[call.inputs.length + index]!)
    if (name === 'step' && !equal(spec.inputs[0]!.shape, spec.outputs[0]!.shape))
      throw refusal(stage, 'noise of the shape of latents', `step of ${file} gives (${spec.outputs[0]!.shape.join(', ')})`)
  }
}

/**
 * Makes sure that compiled functions are functions of their program, with a limit for each dimension that the function's inputs
 * have by themselves. One function's library under another one's name has other dimensions, and no check of its own.
 * @throws WuerstchenError MODEL_INVALID
 */
export function checkLibraries(stage: StageName, artefact: Artefact): void {
  for (const [name, { file, limits }] of librariesOf(artefact)) {
    const spec = Object.hasOwn(artefact.functions, name) ? artefact.functions[name] : undefined
    if (spec === undefined) throw refusal(stage, `a function of ${artefact.file} for ${file}`, `it is for ${name}`)
    const symbols = new Set(spec.inputs.flatMap(({ shape }) => shape.filter(size => typeof size === 'string')))
    const free = [...symbols].filter(symbol => !symbol.includes('/')).sort()
    if (equal(free, Object.keys(limits).sort())) continue
    throw refusal(
      stage,
      `limits for ${free.join(', ')}, the dimensions of ${name}, for ${file}`,
      `it has ${Object.keys(limits).join(', ')}`
    )
  }
}

/**
 * Makes sure that the embeddings of a text encoder have as many channels as the network that takes them.
 * @throws WuerstchenError MODEL_INVALID
 */
export function checkTexts(artefacts: ReadonlyMap<StageName, Artefact>): void {
  for (const half of ['prior', 'decoder'] as const) {
    const given = artefacts.get(`${half}TextEncoder`)?.functions['forward']?.outputs[0]?.shape[2]
    const taken = artefacts.get(half)?.functions['condition']?.inputs.find(({ name }) => name === 'text')?.shape[2]
    if (given !== undefined && taken !== undefined && given !== taken)
      throw refusal(half, `${given} channels of text, as ${half}TextEncoder gives them,`, `condition takes ${taken}`)
  }
}

/**
 * Makes sure that Stage A has the scale that sizes are computed from, where its programs say one (`height*4`, `height/4`).
 * @throws WuerstchenError MODEL_INVALID
 */
export function checkScale(artefacts: ReadonlyMap<StageName, Artefact>, { pixelsPerLatent }: Manifest['constants']): void {
  const scale = pixelsPerLatent ?? PIXELS_PER_LATENT
  for (const stage of ['vqDecoder', 'vqEncoder'] as const) {
    const [, , ...sides] = artefacts.get(stage)?.functions['forward']?.outputs[0]?.shape ?? []
    const other = sides.find(side => typeof side === 'string' && /[*/]/.test(side) && Number(side.split(/[*/]/)[1]) !== scale)
    if (other !== undefined)
      throw refusal(stage, `a scale of ${scale}, which is pixelsPerLatent,`, `forward gives (${sides.join(', ')})`)
  }
}

function checkTensors(
  stage: StageName,
  artefact: Artefact,
  functionName: string,
  expected: readonly Tensor[],
  specs: readonly TensorSpec[]
): void {
  for (const [index, [name, dtype, ...dimensions]] of expected.entries()) {
    const spec = specs[index]!
    const wanted = dtype === 'own' ? [artefact.dtype] : dtype === 'own+' ? [...new Set([artefact.dtype, 'float32'])] : [dtype]
    const fits =
      wanted.includes(spec.dtype) &&
      spec.shape.length === dimensions.length &&
      dimensions.every(
        (size, at) => size === '*' || (size === 'c' ? typeof spec.shape[at] === 'number' : spec.shape[at] === size)
      )
    if (!fits)
      throw refusal(
        stage,
        `${wanted.join(' or ')} (${dimensions.map(size => (size === 'c' ? 'channels' : size)).join(', ')}) for ${functionName}.${name}`,
        `${labelOf(artefact)} has ${spec.dtype} (${spec.shape.join(', ')})`
      )
  }
}

/** What `condition` gives, `step` takes. Its rows are joined with those of other images, so the first dimension is the batch. */
function checkPassedOn(stage: StageName, artefact: Artefact, output: TensorSpec, input: TensorSpec): void {
  const fits =
    isFloating(output.dtype) &&
    output.dtype === input.dtype &&
    typeof output.shape[0] === 'string' &&
    equal(output.shape, input.shape)
  if (fits) return
  throw refusal(
    stage,
    `one shape (batch, …) and one floating dtype for ${output.name} of condition and step`,
    `${labelOf(artefact)} has ${output.dtype} (${output.shape.join(', ')}) and ${input.dtype} (${input.shape.join(', ')})`
  )
}

function refusal(stage: StageName, expected: string, received: string): WuerstchenError {
  return new WuerstchenError('MODEL_INVALID', `Expected ${expected} for the stage ${stage} but ${received}`, { subject: stage })
}

function equal(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

function namesOf(tensors: FunctionSpec['inputs']): string {
  return tensors.map(({ name }) => name).join(', ')
}
