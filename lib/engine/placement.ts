import { defaultThreads, machineOf, resolveDevice } from '../load/device.js'
import { loadAddon } from '../load/addon.js'
import { DECODER_STAGES, OPTIONAL_STAGES, PRIOR_STAGES, TEXT_TO_IMAGE, verifiedPrograms } from '../model/programs.js'
import { withoutBroken } from '../model/compiled.js'
import { isVerified } from '../model/artefact.js'
import type { ModelDirectory } from '../model/manifest.js'
import { misfit, selectArtefacts, type Choice, type Target } from '../model/select.js'
import { LATENT_UNIT } from '../model/size.js'
import type { EngineConstants, EngineHandle, EngineSpec, RuntimeInfo, StageName } from '../native.js'
import { nativeCall } from '../load/native-call.js'
import { batchLimits } from './batch-limits.js'
import { Engine } from './engine.js'
import type { LoadOptions } from './load-options.js'

/** The engines of a pipeline: either whole ones that share the work, or one for each half of the model. */
export type Engines = { kind: 'whole'; engines: Engine[] } | { kind: 'halves'; prior: Engine; decoder: Engine }

interface Place {
  device: string
  stages: readonly StageName[]
}

/**
 * Creates an engine at every place that the `device` option names; if one fails, those that exist are disposed.
 * @param texts what the text encoders take; one that is left out is not tried when it is loaded
 */
export async function createEngines(
  model: ModelDirectory,
  options: LoadOptions,
  texts: EngineSpec['texts'] = {}
): Promise<Engines> {
  const runtime = loadAddon().runtimeInfo()
  const places = placesOf(model, options.device, runtime)
  const onCpu = places.filter(place => place.device === 'cpu').length
  const threads = options.threads ?? Math.max(1, Math.floor(defaultThreads(runtime) / Math.max(1, onCpu)))
  const engines: Engine[] = []
  try {
    for (const place of places) engines.push(await createEngine(model, place, { ...options, threads, texts }, runtime))
  } catch (error) {
    await Promise.allSettled(engines.map(engine => engine.dispose()))
    throw error
  }
  const [first, second] = engines
  return isHalves(options.device) ? { kind: 'halves', prior: first!, decoder: second! } : { kind: 'whole', engines }
}

function placesOf(model: ModelDirectory, device: LoadOptions['device'], runtime: RuntimeInfo): Place[] {
  const resolve = (name: string, value: string) =>
    resolveDevice(name, value === 'auto' ? automatic(model, runtime) : value, runtime)
  if (isHalves(device)) {
    return [
      { device: resolve('device.prior', device.prior), stages: PRIOR_STAGES },
      { device: resolve('device.decoder', device.decoder), stages: DECODER_STAGES }
    ]
  }
  const names = typeof device === 'string' ? [device] : device
  return names.map((name, index) => ({
    device: resolve(names.length === 1 ? 'device' : `device[${index}]`, name),
    stages: TEXT_TO_IMAGE
  }))
}

function isHalves(device: LoadOptions['device']): device is { prior: string; decoder: string } {
  return typeof device === 'object' && !Array.isArray(device)
}

/** The first GPU if LibTorch can use it and the model has programs that were made and verified on one, else the CPU. */
export function automatic(model: ModelDirectory, runtime: RuntimeInfo): string {
  const hasPrograms = Object.values(model.manifest.stages).some(stage =>
    stage.artefacts.some(artefact => artefact.device === 'cuda' && isVerified(artefact))
  )
  return runtime.cuda.available && hasPrograms ? 'cuda:0' : 'cpu'
}

async function createEngine(
  model: ModelDirectory,
  place: Place,
  options: LoadOptions & { threads: number; texts: EngineSpec['texts'] },
  runtime: RuntimeInfo
): Promise<Engine> {
  const choices = chooseFor(model, place, options, runtime)
  const { onProgress, signal, threads, texts } = options
  await using open = await verifiedPrograms(
    model,
    choices,
    options.verify,
    (stage, done, total) => onProgress?.({ phase: 'verify', stage, done, total }),
    signal
  )
  const programs = open.specs
  const limits = batchLimits(place.device, threads, options.maxBatch)
  let handle: EngineHandle
  try {
    handle = await nativeCall(() =>
      load(
        {
          device: place.device,
          threads,
          ...limits,
          residency: options.residency,
          programs,
          constants: engineConstants(model),
          texts
        },
        (stage, done, total) => onProgress?.({ phase: 'load', stage, done, total }),
        signal
      )
    )
  } catch (error) {
    const rest = withoutBroken(model, programs, choices, error)
    if (rest === undefined) throw error
    warnOfLibrary(error as Error)
    return createEngine(rest, place, options, runtime)
  }
  const engine = new Engine(handle, place.device, choices, options.residency, limits)
  warnOfFewerThreads(threads, engine.stats().threads)
  return engine
}

/** A loaded engine. One that fails or is aborted is gone when this rejects: it stops between two reads of its files. */
async function load(
  spec: EngineSpec,
  onProgress: (stage: StageName, done: number, total: number) => void,
  signal: AbortSignal | undefined
): Promise<EngineHandle> {
  const native = loadAddon()
  const { engine, loaded } = native.createEngine(spec, onProgress)
  const stop = () => void native.disposeEngine(engine)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    await loaded
    signal?.throwIfAborted()
    return engine
  } catch (error) {
    await native.disposeEngine(engine)
    throw signal?.aborted ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

function engineConstants({ manifest: { constants } }: ModelDirectory): EngineConstants {
  return {
    latentMean: constants.latentMean,
    latentStd: constants.latentStd,
    scaleFactor: constants.scaleFactor,
    latentDimScale: constants.latentDimScale,
    latentUnit: constants.latentUnit ?? LATENT_UNIT,
    priorScheduler: constants.scheduler.prior,
    decoderScheduler: constants.scheduler.decoder
  }
}

/** A library that does not fit its LibTorch or its GPU costs speed, which nobody would look for here. */
function warnOfLibrary({ message }: Error): void {
  process.emitWarning(`${message}. Its program runs instead: images are the same, and take longer.`, {
    type: 'WuerstchenWarning',
    code: 'WUERSTCHEN_LIBRARY'
  })
}

function warnOfFewerThreads(wanted: number, granted: number): void {
  if (granted >= wanted) return
  process.emitWarning(`The system granted ${granted} of ${wanted} threads. Images are the same, and take longer.`, {
    type: 'WuerstchenWarning',
    code: 'WUERSTCHEN_THREADS'
  })
}

function chooseFor(model: ModelDirectory, place: Place, options: LoadOptions, runtime: RuntimeInfo): Map<StageName, Choice> {
  const target = { ...machineOf(place.device, runtime), dtype: options.dtype }
  const choices = selectArtefacts(model.manifest, place.stages, target)
  const optional = [...choices].flatMap(([stage, { artefact }]) =>
    optionalStages(model, OPTIONAL_STAGES[stage] ?? [], { ...target, dtype: artefact.dtype })
  )
  return new Map([...choices, ...optional])
}

/** An optional stage is left out if it has nothing for this machine. It may have another dtype than the others. */
function optionalStages({ manifest }: ModelDirectory, stages: readonly StageName[], target: Target): [StageName, Choice][] {
  return stages.flatMap((stage): [StageName, Choice][] => {
    const fitting = manifest.stages[stage]?.artefacts.filter(artefact => misfit(artefact, target) === undefined) ?? []
    if (fitting.length === 0) return []
    const dtype = fitting.some(artefact => artefact.dtype === target.dtype) ? target.dtype : undefined
    return [...selectArtefacts(manifest, [stage], { ...target, dtype })]
  })
}
