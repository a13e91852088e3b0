import { createRequire } from 'node:module'
import type { Native } from '../native.js'

/**
 * Ends this process at once, whatever its threads do, and runs no handlers. `process.exit()` joins the engine's threads first, so
 * it waits for ever for one that hangs. What was written to files, pipes and terminals synchronously is kept.
 */
export function exitNow(code: number): never {
  loadedAddon()?.exitNow?.(code)
  // Static destructors of LibTorch run while its threads work: this ends the process, but it can be by a signal.
  return (process as unknown as { reallyExit(code: number): never }).reallyExit(code)
}

/** The addon if it was loaded: loading LibTorch only to end would take seconds. */
function loadedAddon(): Native | undefined {
  const modules = Object.values(createRequire(import.meta.url).cache)
  return modules.find(module => module?.filename.endsWith('wuerstchen.node'))?.exports as Native | undefined
}
