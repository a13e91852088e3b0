import { createRequire } from 'node:module'
import type { Native } from '../native.js'

/**
 * Ends this process at once, whatever its threads do, and runs no handlers. `process.exit()` joins the engine's threads first, so
 * it waits for ever for one that hangs. `process.reallyExit()` joins nothing, but LibTorch's static destructors run while its
 * threads work: with a busy engine, every second process ended by a signal instead of the code. The addon calls `_exit`.
 */
export function exitNow(code: number): never {
  loadedAddon()?.exitNow?.(code)
  // Without an addon there is nothing to wait for.
  process.exit(code)
}

/** The addon if it was loaded: loading LibTorch only to end would take seconds. */
function loadedAddon(): Native | undefined {
  const modules = Object.entries(createRequire(import.meta.url).cache)
  return modules.find(([file]) => file.endsWith('wuerstchen.node'))?.[1]?.exports as Native | undefined
}
