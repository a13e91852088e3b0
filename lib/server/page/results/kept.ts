import { find } from '../dom/dom.js'
import { MOST_BYTES, MOST_RUNS, sizeOf } from '../runs/history.js'
import type { Run } from '../runs/run.js'

const MEGABYTE = 1e6

/** Says what this browser keeps, and how much that may become. */
export function showKept(runs: readonly Run[], keeps: boolean): void {
  const bytes = runs.reduce((sum, run) => sum + sizeOf(run), 0)
  const count = runs.length === 1 ? '1 request' : `${runs.length} requests`
  const limits = `The newest ${MOST_RUNS} stay, up to ${Math.round(MOST_BYTES / MEGABYTE)} MB.`
  const text = keeps
    ? `Kept in this browser alone: ${count}, ${(bytes / MEGABYTE).toFixed(1)} MB. ${limits}`
    : 'This browser has no room to keep the last request. Save its pictures before you leave the page.'
  const element = find('history-text', HTMLElement)
  if (element.textContent !== text) element.textContent = text
  find('save-everything', HTMLButtonElement).hidden = bytes === 0
}
