import { find, setText } from '../dom/dom.js'
import type { Estimates } from '../runs/estimate.js'
import { isOver, type Hold, type Run } from '../runs/run.js'
import { about } from './describe.js'

/** What holds everything up, and what will happen. */
const HOLDS: Record<Hold, string> = {
  network: 'The server cannot be reached. The page keeps trying, and sends what waits.',
  full: 'The server has too much to do. What waits is sent when there is room.',
  key: 'The server asks for its API key. What waits goes on when it is given.'
}

/** The line beside the button that says what runs and waits, and how long that will take. */
export class QueueLine {
  readonly #line = find('queue', HTMLElement)
  readonly #hold = find('hold', HTMLElement)
  readonly #text = find('queue-text', HTMLElement)
  readonly #runs: () => readonly Run[]
  readonly #estimates: Estimates

  constructor(runs: () => readonly Run[], estimates: Estimates, cancelAll: () => void) {
    this.#runs = runs
    this.#estimates = estimates
    find('cancel-all', HTMLButtonElement).addEventListener('click', cancelAll)
    setInterval(() => this.update(), 1000)
  }

  update(): void {
    const open = this.#runs().filter(run => !isOver(run))
    const hadFocus = this.#line.contains(document.activeElement)
    this.#line.hidden = open.length === 0
    const hold = open.find(each => each.hold !== undefined)?.hold
    setText(this.#hold, hold === undefined ? undefined : HOLDS[hold])
    if (open.length === 0) {
      if (hadFocus) find('generate', HTMLButtonElement).focus()
      return
    }
    const running = open.filter(({ state }) => state === 'running').length
    const counts = [
      [running, 'running'],
      [open.length - running, 'waiting']
    ] as const
    const parts = counts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`)
    const left = hold !== undefined ? undefined : this.#estimates.left
    const text = `${parts.join(', ')}${left === undefined ? '' : ` · ${about(left)} left`}`
    if (this.#text.textContent !== text) this.#text.textContent = text
    find('cancel-all', HTMLButtonElement).textContent = open.length === 1 ? 'Cancel' : 'Cancel all'
  }
}
