import { createRequire } from 'node:module'
import { findLibtorch, hasCuda, places } from '../install/libtorch.mjs'
import { torchRange, torchRelease } from '../install/version.mjs'
import { defaultThreads, gpuArchOf, kindOf } from '../load/device.js'
import { MANIFEST_FILE, modelPath, readModel } from '../model/directory.js'
import { isVerified, labelOf } from '../model/artefact.js'
import type { ModelDirectory } from '../model/manifest.js'
import { TEXT_TO_IMAGE, verifiedProgram } from '../model/programs.js'
import { misfit, selectArtefacts, type Target } from '../model/select.js'
import { gridOf, validSides } from '../model/size.js'
import type { RuntimeInfo } from '../native.js'
import { VERSION } from '../version.js'
import { batchLimits, mostImages } from '../engine/batch-limits.js'
import { automatic } from '../engine/placement.js'
import { chooseAddon, type FoundLibtorch } from '../load/choose.js'
import { diagnose, type Diagnosis } from '../load/explain.js'
import { loadFacts, glibcVersion } from '../load/facts.js'
import { addonFiles, type AddonFile } from '../load/locations.js'
import { javascriptRuntime, type JavaScriptRuntime } from '../load/javascript-runtime.js'
import { cpu, gpus, memoryBytes, type Cpu, type Gpus } from '../load/machine.js'
import { probeAddon } from './probe.js'

export interface Report {
  /** Version of this package. */
  wuerstchen: string
  /** What runs the package. */
  javascript: JavaScriptRuntime
  /** The version of Node or, elsewhere, the one whose modules are there. */
  node: string
  platform: string
  arch: string
  glibc: string | null
  cpu: Cpu
  memoryBytes: number
  /** The addon that is used, and all that there are. */
  addon: { path: string | null; found: AddonFile[]; diagnosis: Diagnosis | null }
  /** The LibTorch that is used or, without an addon for it, the one that the set-up would take. */
  libtorch: { wanted: string; version: string | null; directory: string | null; source: string; cuda: boolean; tried: string[] }
  /** What the loaded LibTorch reports; null if it could not be loaded. */
  runtime: RuntimeInfo | null
  gpus: Gpus
  model: ModelReport
  sharp: { version: string; libvips: string } | { error: string }
}

export interface ModelReport {
  directory: string
  name: string | null
  /** Why it cannot be used for text to image on this machine, else null. */
  error: string | null
  /** How many images of a size share a run, where `maxBatch` is left out. */
  batches: Record<string, number>
  artefacts: {
    stage: string
    file: string
    dtype: string
    device: string
    used: boolean
    /** null: it fits. */
    misfit: string | null
    /** false: libraries for a GPU that nothing has run yet. */
    verified: boolean
  }[]
}

/** Everything that `doctor` reports. It is found out without loading LibTorch into this process. */
export async function machineReport(model: string | undefined): Promise<Report> {
  const addons = addonFiles()
  const choice = chooseAddon(addons, places(process.env))
  const probed = 'kind' in choice ? choice : probeAddon(choice)
  const failure = 'kind' in probed ? probed : null
  const runtime = 'kind' in probed ? null : probed
  return {
    wuerstchen: VERSION,
    javascript: javascriptRuntime(),
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: glibcVersion(),
    cpu: cpu(),
    memoryBytes: memoryBytes(),
    addon: {
      path: 'kind' in choice || failure !== null ? null : choice.addon.path,
      found: addons.filter(({ builtFor }) => builtFor !== null),
      diagnosis: failure === null ? null : diagnose(failure, loadFacts())
    },
    libtorch: libtorchReport('libtorch' in choice ? (choice.libtorch ?? undefined) : undefined),
    runtime,
    gpus: gpus(),
    model: await modelReport(model, runtime),
    sharp: await sharpReport()
  }
}

function libtorchReport(chosen: FoundLibtorch | undefined): Report['libtorch'] {
  const { found, tried } = chosen === undefined ? findLibtorch(places(process.env)) : { found: chosen, tried: [] }
  return {
    wanted: torchRange,
    version: found?.version ?? null,
    directory: found?.directory ?? null,
    source: found?.source ?? 'nowhere',
    cuda: found !== undefined && hasCuda(found.directory),
    tried
  }
}

/** Which artefacts fit this machine. Files are checked as before a load, so a damaged file is found here too. */
async function modelReport(directory: string | undefined, runtime: RuntimeInfo | null): Promise<ModelReport> {
  const path = modelPath(directory)
  const report: ModelReport = { directory: path, name: null, error: null, batches: {}, artefacts: [] }
  try {
    const model = await readModel(path)
    const { manifest } = model
    report.name = manifest.name
    const target: Target = {
      device: runtime === null ? 'cpu' : kindOf(automatic(model, runtime)),
      dtype: undefined,
      cpuCapability: runtime?.cpuCapability ?? 'DEFAULT',
      gpuArch: runtime === null ? undefined : gpuArchOf('cuda:0', runtime),
      torch: runtime?.torchVersion ?? torchRelease
    }
    for (const [stage, entry] of Object.entries(manifest.stages)) {
      for (const artefact of entry?.artefacts ?? []) {
        const unfit = misfit(artefact, {
          ...target,
          device: artefact.device === 'cuda' && runtime?.cuda.available ? 'cuda' : 'cpu'
        })
        const { dtype, device } = artefact
        report.artefacts.push({
          stage,
          file: labelOf(artefact),
          dtype,
          device,
          used: false,
          misfit: unfit ?? null,
          verified: isVerified(artefact)
        })
        await using _checked = await verifiedProgram(path, artefact, true)
      }
    }
    if (runtime !== null) report.batches = batchesOf(model, runtime)
    const used = [...selectArtefacts(manifest, TEXT_TO_IMAGE, target).values()].map(({ artefact }) => labelOf(artefact))
    for (const artefact of report.artefacts) artefact.used = used.includes(artefact.file)
  } catch (error) {
    report.error = error instanceof Error ? error.message : `${MANIFEST_FILE}: ${String(error)}`
  }
  return report
}

/** Square images of these sides stand for all, where the model can make them. */
const SIDES = [128, 256, 512, 1024]

function batchesOf(model: ModelDirectory, runtime: RuntimeInfo): Record<string, number> {
  const { constants } = model.manifest
  const limits = batchLimits(automatic(model, runtime), defaultThreads(runtime))
  const sides = validSides(constants).filter(side => SIDES.includes(side))
  return Object.fromEntries(sides.map(side => [`${side}x${side}`, mostImages(limits, gridOf(side, constants) ** 2)]))
}

async function sharpReport(): Promise<Report['sharp']> {
  try {
    const { default: sharp } = await import('sharp')
    return { version: sharp.versions.sharp ?? versionOf('sharp/package.json'), libvips: sharp.versions.vips }
  } catch (error) {
    return { error: error instanceof Error ? error.message.trim() : String(error) }
  }
}

function versionOf(file: string): string {
  return (createRequire(import.meta.url)(file) as { version: string }).version
}
