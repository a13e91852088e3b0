import { create, createButton, setText } from '../dom/dom.js'
import { titleOf } from '../runs/ask.js'
import { isOver, type Run } from '../runs/run.js'
import { describeRun } from './describe.js'
import { Tile, type TileActions } from './tile.js'

export interface CardActions extends TileActions {
  cancel(run: Run): void
  runAgain(run: Run): void
  remove(run: Run): void
  saveAll(run: Run): void
  /** Milliseconds of work that a run still needs; undefined where nobody can know. */
  leftOf(run: Run): number | undefined
}

/** One run: its words, its pictures, and what one can do with all of it. */
export class Card {
  readonly element: HTMLElement
  readonly #run: Run
  readonly #actions: CardActions
  readonly #tiles: Tile[]
  readonly #facts = create('p', { className: 'run-facts' })
  readonly #problem = create('p', { className: 'problem', hidden: true })
  readonly #cut = create('p', { className: 'hint', hidden: true })
  readonly #cancel: HTMLButtonElement
  readonly #saveAll: HTMLButtonElement
  readonly #rest: HTMLButtonElement[]

  constructor(run: Run, actions: CardActions) {
    this.#run = run
    this.#actions = actions
    const title = titleOf(run.ask)
    this.#cancel = createButton('Cancel', `Cancel ${title}`, () => actions.cancel(run))
    this.#saveAll = createButton('Save all', `Save all pictures of ${title} in a ZIP file`, () => actions.saveAll(run))
    this.#rest = [
      createButton('Run again', `Run again with new seeds: ${title}`, () => actions.runAgain(run)),
      createButton('Delete', `Delete ${title}`, () => actions.remove(run))
    ]
    const heading = create('h2', {}, title)
    heading.id = `run-${run.id}`
    this.#tiles = run.slots.map((_, index) => new Tile(run, index, actions))
    this.element = create(
      'article',
      { className: 'run' },
      create(
        'header',
        {},
        create('div', { className: 'run-about' }, heading, this.#facts),
        create('div', { className: 'run-tools' }, this.#cancel, this.#saveAll, ...this.#rest)
      ),
      this.#problem,
      create('ul', { className: 'tiles' }, ...this.#tiles.map(({ element }) => element)),
      this.#cut
    )
    this.element.setAttribute('aria-labelledby', heading.id)
    this.update()
  }

  update(): void {
    const over = isOver(this.#run)
    for (const tile of this.#tiles) tile.update()
    this.showTime()
    this.element.dataset['state'] = this.#run.state
    setText(this.#problem, this.#run.problem)
    const { cut = [] } = this.#run
    setText(this.#cut, cut.length === 0 ? undefined : `Too long for the model; it did not read “${cut.join('”, “')}”.`)
    if (over && document.activeElement === this.#cancel) {
      for (const button of this.#rest) button.hidden = false
      this.#rest[0]!.focus()
    }
    this.#cancel.hidden = over
    this.#saveAll.hidden = !over || this.#run.slots.filter(({ picture }) => picture !== undefined).length < 2
    for (const button of this.#rest) button.hidden = !over
  }

  /** What changes by itself while time passes. */
  showTime(): void {
    const left = isOver(this.#run) ? undefined : this.#actions.leftOf(this.#run)
    const text = describeRun(this.#run, left)
    if (this.#facts.textContent !== text) this.#facts.textContent = text
  }
}
