/**
 * Does what only one tab may do at a time. Browsers have no locks for pages that came over plain HTTP from another machine: there
 * the tab that made the run is the one that sends it.
 */
export async function locked(name: string, act: () => Promise<void>): Promise<void> {
  if (!('locks' in navigator)) return act()
  await navigator.locks.request(`wuerstchen ${name}`, act)
}

export const hasLocks = 'locks' in navigator
