import { WuerstchenError } from '../errors.js'
import { atLeast, isSupported, minorOf, torchVersions } from '../install/version.mjs'
import type { Dtype } from '../dtypes.js'
import type { StageName } from '../native.js'
import { isVerified, labelOf } from './artefact.js'
import { capabilityOf, runsOnGpu } from './gpu.js'
import type { Artefact, Manifest } from './manifest.js'

/** The machine that an artefact has to fit. */
export interface Target {
  /** `cpu` or `cuda`. */
  device: 'cpu' | 'cuda'
  /** The dtype that the user asked for; undefined takes the first of `PREFERRED` that the model has for every stage. */
  dtype: Dtype | undefined
  /** LibTorch's own name for the instruction set that it uses: DEFAULT, AVX2, AVX512, AMX. */
  cpuCapability: string
  /**
   * Compute capability of the GPU, as in `9.0`. If it is not known (undefined), a library that does not fit fails when it first
   * runs.
   */
  gpuArch: string | undefined
  /** LibTorch's version, as in `2.13.0+cpu`. */
  torch: string
}

/** The artefact chosen for a stage, and the reason why each of the others was not. */
export interface Choice {
  artefact: Artefact
  rejected: {
    /** Its name in the model directory. */
    file: string
    /** Why it was not chosen. */
    reason: string
  }[]
}

/** Without special instructions, float32 is the CPU's fastest type. On a GPU it is float16. */
const PREFERRED: Readonly<Record<Target['device'], readonly Artefact['dtype'][]>> = {
  cpu: ['float32', 'bfloat16', 'float16'],
  cuda: ['float16', 'bfloat16', 'float32']
}

/** The fastest first: compiled libraries come before the programs that they are made from. */
const KINDS: readonly Artefact['kind'][] = ['aoti', 'torchscript']

const ISA_ORDER = ['DEFAULT', 'AVX2', 'AVX512', 'AMX']

/**
 * Chooses the fastest artefact that fits, for each stage.
 * @throws WuerstchenError MODEL_MISMATCH, naming what each artefact needs and what this machine has
 */
export function selectArtefacts(manifest: Manifest, stages: readonly StageName[], target: Target): Map<StageName, Choice> {
  const fitting = new Map(stages.map(stage => [stage, fittingOf(manifest.stages[stage]?.artefacts ?? [], target)]))
  const dtypes = target.dtype === undefined ? PREFERRED[target.device] : [target.dtype as Artefact['dtype']]
  const shared = dtypes.find(dtype => [...fitting.values()].every(({ fit }) => fit.some(artefact => artefact.dtype === dtype)))
  const choices = new Map<StageName, Choice>()
  for (const [stage, { fit, rejected }] of fitting) {
    const order = shared === undefined ? dtypes : [shared]
    const [artefact] = bestFirst(
      fit.filter(({ dtype }) => order.includes(dtype)),
      order,
      target
    )
    if (artefact === undefined) throw nothingFits(stage, target, fit, rejected)
    const others = fit
      .filter(other => other !== artefact)
      .map(other => ({ file: labelOf(other), reason: slower(other, artefact) }))
    choices.set(stage, { artefact, rejected: [...rejected, ...others] })
  }
  return choices
}

/**
 * Chooses the fastest of the libraries that one program has.
 * @throws WuerstchenError MODEL_MISMATCH, naming what each needs and what this machine has
 */
export function selectLibraries(artefacts: readonly Artefact[], target: Target): Artefact {
  const { fit, rejected } = fittingOf(artefacts, target)
  const [best] = bestFirst(fit, PREFERRED[target.device], target)
  if (best !== undefined) return best
  const { file } = artefacts[0]!
  const reasons = rejected.map(textOf).join('; ')
  throw new WuerstchenError('MODEL_MISMATCH', `Expected libraries of ${file} for ${target.device} but it has ${reasons}`, {
    subject: file
  })
}

function bestFirst(fit: readonly Artefact[], dtypes: readonly Dtype[], target: Target): Artefact[] {
  return [...fit].sort(
    (a, b) =>
      dtypes.indexOf(a.dtype) - dtypes.indexOf(b.dtype) ||
      Number(b.device === target.device) - Number(a.device === target.device) ||
      KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
      rank(b.isa) - rank(a.isa) ||
      Number(isVerified(b)) - Number(isVerified(a)) ||
      nearness(b) - nearness(a)
  )
}

const textOf = ({ file, reason }: Choice['rejected'][number]) => `${file}: ${reason}`

function fittingOf(artefacts: readonly Artefact[], target: Target): { fit: Artefact[]; rejected: Choice['rejected'] } {
  const fit: Artefact[] = []
  const rejected: Choice['rejected'] = []
  for (const artefact of artefacts) {
    const reason = misfit(artefact, target)
    if (reason === undefined) fit.push(artefact)
    else rejected.push({ file: labelOf(artefact), reason })
  }
  return { fit, rejected }
}

/** The reason why an artefact cannot run on the target; undefined if it can. */
export function misfit(artefact: Artefact, target: Target): string | undefined {
  if (artefact.kind === 'aoti' && artefact.unusable !== null) return artefact.unusable
  // A program has no device in it (test/export/test_programs.py). Where it was made says only where it was verified.
  if (artefact.kind === 'aoti' && artefact.device !== target.device) return `made for ${artefact.device}, not ${target.device}`
  if (artefact.isa !== null && rank(artefact.isa) > rank(target.cpuCapability))
    return `needs ${artefact.isa}, this CPU has ${target.cpuCapability}`
  if (artefact.gpuArch !== null && target.gpuArch !== undefined && !runsOnGpu(artefact.gpuArch, target.gpuArch))
    return `made for GPU architecture ${artefact.gpuArch}, this one is ${target.gpuArch}`
  return soundOn(artefact, target.torch) ? undefined : `needs LibTorch ${leastTorch(artefact)}, this one is ${target.torch}`
}

function soundOn(artefact: Artefact, torch: string): boolean {
  // Nobody has tried a GPU's library with another minor version than its own.
  if (artefact.kind === 'aoti' && artefact.device === 'cuda') return minorOf(artefact.torch) === minorOf(torch)
  return atLeast(torch, leastTorch(artefact))
}

/** The oldest LibTorch that an artefact runs on. Manifests of 0.1.0 do not say it; what a supported torch made runs on all. */
function leastTorch({ kind, device, leastTorch, torch }: Artefact): string {
  if (kind === 'aoti' && device === 'cuda') return minorOf(torch)
  return leastTorch ?? (isSupported(torch) ? torchVersions[0]! : minorOf(torch))
}

function slower(other: Artefact, chosen: Artefact): string {
  if (other.dtype === chosen.dtype && other.device !== chosen.device)
    return `made for ${other.device}, and one that was made for ${chosen.device} is used`
  if (other.dtype === chosen.dtype && !isVerified(other) && isVerified(chosen))
    return 'not verified, and one that is verified is used'
  if (other.dtype === chosen.dtype && other.gpuArch !== null && chosen.gpuArch !== null)
    return `made for GPU architecture ${other.gpuArch}, and one that was made for ${chosen.gpuArch} is used`
  return other.dtype === chosen.dtype
    ? `${other.kind} is not faster than ${chosen.kind}`
    : `${other.dtype}, and ${chosen.dtype} is used`
}

/** Of the architectures that run on a GPU, which differ in the minor number alone, the newest is the nearest to its own. */
function nearness({ gpuArch }: Artefact): number {
  return gpuArch === null ? 0 : capabilityOf(gpuArch)[1]
}

/**
 * An unknown name ranks above all, so that its artefact is refused. Otherwise it could end the process with an illegal
 * instruction.
 */
function rank(isa: string | null): number {
  if (isa === null) return 0
  const index = ISA_ORDER.indexOf(isa.toUpperCase().replace(/[^A-Z0-9]/g, ''))
  return index < 0 ? ISA_ORDER.length : index
}

function nothingFits(stage: StageName, target: Target, fit: readonly Artefact[], rejected: Choice['rejected']): WuerstchenError {
  const wanted = `${stage} for ${target.device}${target.dtype === undefined ? '' : ` in ${target.dtype}`}`
  const reasons = [...rejected.map(textOf), ...fit.map(artefact => `${labelOf(artefact)}: ${artefact.dtype}`)]
  const found = reasons.length === 0 ? 'the model has none' : `it has ${reasons.join('; ')}`
  return new WuerstchenError('MODEL_MISMATCH', `Expected a model with ${wanted} but ${found}`, { subject: stage })
}
