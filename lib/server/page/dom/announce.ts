import { find } from './dom.js'

/** Tells screen readers what happened. Milestones only: every step would drown everything else. */
export function announce(text: string): void {
  find('announcer', HTMLElement).textContent = text
}
