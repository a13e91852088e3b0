import { createId } from './id.js'

/** The name of this tab. It stays when the page is loaded anew, and no other tab has it. */
export const tab = nameTab()

/** In the tab's own history, because session storage is copied when a tab is duplicated, and holds the key. */
function nameTab(): string {
  const state = history.state as { tab?: unknown } | null
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  if (typeof state?.tab === 'string' && navigation?.type !== 'navigate') return state.tab
  const name = createId()
  history.replaceState({ tab: name }, '')
  return name
}
