import { loadedAddon } from './addon.js'

/**
 * Ends this process at once, whatever its threads do, and runs no handlers. `process.exit()` joins the engine's threads first, so
 * it waits for ever for one that hangs. `process.reallyExit()` joins nothing, but LibTorch's static destructors run while its
 * threads work: with a busy engine, every second process ended by a signal instead of the code. The addon calls `_exit`.
 */
export function exitNow(code: number): never {
  // Loading LibTorch only to end would take seconds, and without it there is nothing to wait for.
  loadedAddon()?.exitNow(code)
  process.exit(code)
}
