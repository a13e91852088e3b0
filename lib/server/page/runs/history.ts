import { scoped } from '../dom/scope.js'
import { openStore, type Store } from '../dom/store.js'
import { isOver, type Run } from './run.js'

/** What is kept, so that the browser's store does not grow for ever. */
export const MOST_RUNS = 100
export const MOST_BYTES = 512e6

export interface HistoryHooks {
  /** Another tab has kept this run, as it then was. */
  saved(id: string): void
  /** Another tab has removed it. */
  removed(id: string): void
}

/** Runs of this browser, in its IndexedDB, shared by all tabs of this server's page. */
export class History {
  readonly #store: Store<Run> = openStore(scoped('wuerstchen'), 'runs', 'id')
  readonly #tabs = new BroadcastChannel(scoped('wuerstchen'))

  listen(hooks: HistoryHooks): void {
    this.#tabs.addEventListener('message', ({ data }: MessageEvent<{ saved?: string; removed?: string }>) => {
      if (data.saved !== undefined) hooks.saved(data.saved)
      if (data.removed !== undefined) hooks.removed(data.removed)
    })
  }

  /** The newest first. */
  async load(): Promise<Run[]> {
    return (await this.#store.all()).sort((a, b) => b.at - a.at)
  }

  get(id: string): Promise<Run | undefined> {
    return this.#store.get(id)
  }

  /** False: the browser has no room for it. */
  async save(run: Run): Promise<boolean> {
    const kept = await this.#store.put(run)
    this.#tabs.postMessage({ saved: run.id })
    return kept
  }

  async remove(id: string): Promise<void> {
    await this.#store.delete(id)
    this.#tabs.postMessage({ removed: id })
  }
}

/** Those of the runs, the newest first, that are more than what is kept. What is not over is never among them. */
export function beyondLimits(runs: readonly Run[]): Run[] {
  let bytes = 0
  return runs.filter((run, index) => {
    bytes += sizeOf(run)
    return isOver(run) && (index >= MOST_RUNS || bytes > MOST_BYTES) && index > 0
  })
}

/** Bytes of the files of a run. */
export function sizeOf({ ask: { start }, slots }: Run): number {
  const files = [start?.file, start?.mask, start?.second?.file, ...slots.map(({ picture }) => picture?.file)]
  return files.reduce((sum, file) => sum + (file?.size ?? 0), 0)
}
