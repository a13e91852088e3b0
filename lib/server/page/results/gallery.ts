import { forget } from '../dom/blob-url.js'
import { find } from '../dom/dom.js'
import { isOver, type Run } from '../runs/run.js'
import { Card, type CardActions } from './card.js'

/** All runs, the newest first. */
export class Gallery {
  readonly #list = find('runs', HTMLElement)
  readonly #cards = new Map<Run, Card>()
  readonly #actions: CardActions

  constructor(actions: CardActions) {
    this.#actions = actions
    setInterval(() => {
      for (const [run, card] of this.#cards) if (!isOver(run)) card.showTime()
    }, 1000)
  }

  show(run: Run): void {
    const known = this.#cards.get(run)
    if (known !== undefined) return known.update()
    // Runs of another tab come in between.
    const older = [...this.#cards].filter(([{ at }]) => at <= run.at).sort(([a], [b]) => b.at - a.at)[0]
    const card = new Card(run, this.#actions)
    this.#cards.set(run, card)
    this.#list.insertBefore(card.element, older?.[1].element ?? null)
    this.#showFrame()
  }

  remove(run: Run): void {
    const card = this.#cards.get(run)
    if (card === undefined) return
    this.#cards.delete(run)
    // The focus was in what goes; it must not fall back to the top of the page.
    if (card.element.contains(document.activeElement)) find('results', HTMLElement).focus()
    card.element.remove()
    for (const { picture } of run.slots) if (picture !== undefined) forget(picture.file)
    this.#showFrame()
  }

  #showFrame(): void {
    find('empty', HTMLElement).hidden = this.#cards.size > 0
    find('history', HTMLElement).hidden = this.#cards.size === 0
  }
}
