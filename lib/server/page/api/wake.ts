/** Those who wait for the server. */
const waiting = new Set<() => void>()

/** Lets everybody who waits try again at once: the network, the tab or the key may be another one now. */
export function wake(): void {
  for (const end of [...waiting]) end()
}

for (const name of ['online', 'focus', 'pageshow']) addEventListener(name, wake)
document.addEventListener('visibilitychange', wake)

/** Waits for a time, or until something may have changed; ends at once where the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      waiting.delete(end)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    waiting.add(end)
    if (signal?.aborted === true) end()
    else signal?.addEventListener('abort', end)
  })
}

/** How long to wait after so many failures in a row, in milliseconds. A server that comes back is not stormed. */
export function waitAfter(failures: number): number {
  return Math.min(15_000, 500 * 2 ** failures)
}
