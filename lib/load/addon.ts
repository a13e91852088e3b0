import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { WuerstchenError } from '../errors.js'
import { places, type Place } from '../install/libtorch.mjs'
import { minorOf } from '../install/version.mjs'
import type { Native } from '../native.js'
import { addonFor, chooseAddon, type Choice, type FoundLibtorch, type LoadFailure } from './choose.js'
import { cutOff, cutOffLibrary } from './cut-off.js'
import { explainLoadFailure } from './explain.js'
import { loadFacts } from './facts.js'
import { addonFiles, loaderOf, type AddonFile } from './locations.js'
import { boundOneDnnCache } from './onednn.js'
import { boundOpenMpSpinning } from './openmp.js'
import { withOwnErrors } from './own-errors.js'

/** What `cpp/loader` exports. */
interface Loader {
  /** The LibTorch that this process has already. A process can have one only. */
  loaded(): { libraries: string; version: string } | null
  /** @throws Error with what the system said */
  open(libraries: string): { libraries: string; version: string }
}

let loaded: Native | undefined

/**
 * The addon. The first call finds LibTorch, and loads and initialises the addon for its version. Later calls return the same
 * object. Each worker thread has its own, because the addon's state belongs to an environment.
 * @throws {WuerstchenError} `NATIVE_LOAD_FAILED` or `LIBTORCH_NOT_FOUND`, with every place that was tried and what can be done.
 */
export function loadAddon(): Native {
  if (loaded !== undefined) return loaded
  boundOpenMpSpinning()
  boundOneDnnCache()
  const native = loadFrom(addonFiles(), places(process.env))
  // On the main thread, process.exit() runs no environment clean-up hooks. Threads are stopped here, because static destructors
  // would otherwise run while they work. Where this listener is not called, the addon stops them itself.
  if (native.initialize()) {
    process.once('exit', () => {
      native.shutdown()
    })
  }
  loaded = withOwnErrors(native)
  return loaded
}

/** The addon if it was loaded, undefined otherwise. */
export function loadedAddon(): Native | undefined {
  return loaded
}

/**
 * Loads the addon for the first LibTorch that there is one for.
 * @internal
 */
export function loadFrom(addons: readonly AddonFile[], among: readonly Place[]): Native {
  const choice = runningChoice(addons) ?? chooseAddon(addons, among)
  const result = 'kind' in choice ? choice : loadChoice(choice)
  if (!('kind' in result)) return result
  const { code, message, subject } = explainLoadFailure(result, loadFacts())
  throw new WuerstchenError(code, message, { subject })
}

/** The addon for the LibTorch that this process has already: another worker's, or that of another addon. */
function runningChoice(addons: readonly AddonFile[]): Choice | LoadFailure | undefined {
  const any = addons.find(({ builtFor }) => builtFor !== null)
  if (any === undefined) return undefined
  const loader = attempt<Loader>(loaderOf(any), null)
  if ('kind' in loader) return loader
  const running = loader.loaded()
  if (running === null) return undefined
  const libtorch = { directory: dirname(running.libraries), version: running.version, source: 'this process' }
  const addon = addonFor(addons, running.version)
  return addon === undefined ? { kind: 'no addon for it', addons, libtorch } : { addon, libtorch }
}

function loadChoice({ addon, libtorch }: Choice): Native | LoadFailure {
  const loader = attempt<Loader>(loaderOf(addon), libtorch)
  if ('kind' in loader) return loader
  const libraries = join(libtorch.directory, 'lib')
  try {
    const cut = cutOffLibrary(libraries)
    if (cut !== undefined) return { kind: 'LibTorch refused', libtorch, error: cut }
    const { version } = loader.open(libraries)
    // What a folder says of its version is a text beside the library.
    if (minorOf(version) !== minorOf(addon.builtFor!))
      return { kind: 'no addon for it', addons: [addon], libtorch: { ...libtorch, version } }
  } catch (error) {
    return { kind: 'LibTorch refused', libtorch, error: (error as Error).message }
  }
  return attempt<Native>(addon.path, libtorch)
}

/** What a file exports that the system loads, or the reason why it cannot. */
function attempt<Exports extends object>(path: string, libtorch: FoundLibtorch | null): Exports | LoadFailure {
  const cut = cutOff(path)
  if (cut !== undefined) return { kind: 'refused by the system', path, libtorch, error: cut }
  try {
    // Not from this file: in a bundle of CommonJS it has no URL.
    return createRequire(path)(path) as Exports
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { kind: 'refused by the system', path, libtorch, error: [code, message].filter(Boolean).join(': ') }
  }
}
