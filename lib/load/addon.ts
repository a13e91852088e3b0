import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { WuerstchenError } from '../errors.js'
import type { Native } from '../native.js'
import { explainLoadFailure, type Attempt } from './explain.js'
import { loadFacts, otherLibtorch } from './facts.js'
import { packageRoot } from '../install/root.mjs'
import { addonLocations, buildRecord } from './locations.js'
import { boundOneDnnCache } from './onednn.js'
import { boundOpenMpSpinning } from './openmp.js'
import { withOwnErrors } from './own-errors.js'

let loaded: Native | undefined

/**
 * The addon. The first call loads and initialises it, and later calls return the same object. Each worker thread has its own,
 * because the addon's state belongs to an environment.
 * @throws {WuerstchenError} `NATIVE_LOAD_FAILED` or `LIBTORCH_NOT_FOUND`, with every place that was tried and what can be done.
 */
export function loadAddon(): Native {
  if (loaded !== undefined) return loaded
  boundOpenMpSpinning()
  boundOneDnnCache()
  const native = loadFrom(addonLocations(packageRoot, process.platform, process.arch))
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
 * Loads the first addon that the system accepts.
 * @internal
 */
export function loadFrom(locations: readonly string[]): Native {
  const attempts: Attempt[] = []
  for (const path of locations) {
    const result = attempt(path)
    if (typeof result !== 'string') return result
    attempts.push(existsSync(path) ? { path, error: result } : { path })
  }
  const record = locations.map(buildRecord).find(found => found !== undefined)
  const { code, message } = explainLoadFailure(attempts, loadFacts(record))
  throw new WuerstchenError(code, message, { subject: attempts.find(({ error }) => error !== undefined)?.path ?? null })
}

/** The addon at a path, or the reason why it cannot be loaded. */
function attempt(path: string): Native | string {
  const other = otherLibtorch(path)
  if (other !== undefined) return other
  try {
    return createRequire(import.meta.url)(path) as Native
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return [code, message].filter(Boolean).join(': ')
  }
}
