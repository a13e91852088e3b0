import { scoped } from '../dom/scope.js'
import { openStore, type Store } from '../dom/store.js'
import { tab } from '../dom/tab.js'
import type { Ask } from '../runs/ask.js'

/** What the form of one tab had in it last. */
interface Draft {
  tab: string
  at: number
  ask: Ask
  /** Whether each line is a prompt of its own. */
  lines: boolean
}

/** Forms of as many tabs are kept. */
const MOST_DRAFTS = 4
/** Typing is written once it pauses. */
const PAUSE_MS = 200

/** Keeps the form in the browser's IndexedDB, so that nothing is lost when the page is loaded anew or opened again. */
export class Drafts {
  readonly #store: Store<Draft> = openStore(scoped('wuerstchen-form'), 'drafts', 'tab')
  readonly #read: () => Omit<Draft, 'tab' | 'at'>
  #timer = 0
  #changed = false

  constructor(read: () => Omit<Draft, 'tab' | 'at'>) {
    this.#read = read
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') void this.#save()
    })
  }

  /** What this tab had, else what any tab had last. */
  async load(): Promise<Draft | undefined> {
    const drafts = (await this.#store.all()).sort((a, b) => b.at - a.at)
    for (const old of drafts.slice(MOST_DRAFTS)) await this.#store.delete(old.tab)
    return drafts.find(draft => draft.tab === tab) ?? drafts[0]
  }

  changed(): void {
    this.#changed = true
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      void this.#save()
    }, PAUSE_MS)
  }

  async clear(): Promise<void> {
    clearTimeout(this.#timer)
    this.#changed = false
    for (const draft of await this.#store.all()) await this.#store.delete(draft.tab)
  }

  async #save(): Promise<void> {
    if (!this.#changed) return
    this.#changed = false
    await this.#store.put({ ...this.#read(), tab, at: Date.now() })
  }
}
