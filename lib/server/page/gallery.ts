import { titleOf } from './ask.js'
import { forget } from './blob-url.js'
import { describeRun } from './describe.js'
import { create, createButton, find, setText } from './dom.js'
import { isOver, type Run } from './run.js'
import { Tile, type TileActions } from './tile.js'

export interface GalleryActions extends TileActions {
  cancel(run: Run): void
  repeat(run: Run): void
  remove(run: Run): void
}

/** All runs, the newest first. */
export class Gallery {
  readonly #list = find('runs', HTMLElement)
  readonly #cards = new Map<string, Card>()
  readonly #actions: GalleryActions

  constructor(actions: GalleryActions) {
    this.#actions = actions
  }

  show(run: Run): void {
    const known = this.#cards.get(run.id)
    if (known !== undefined) return known.update()
    const card = new Card(run, this.#actions)
    this.#cards.set(run.id, card)
    this.#list.prepend(card.element)
    this.#showFrame()
  }

  remove(run: Run): void {
    const card = this.#cards.get(run.id)
    if (card === undefined) return
    this.#cards.delete(run.id)
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

/** One run: its words, its pictures, and what one can do with all of it. */
class Card {
  readonly element: HTMLElement
  readonly #run: Run
  readonly #tiles: Tile[]
  readonly #facts = create('p', { className: 'run-facts' })
  readonly #problem = create('p', { className: 'problem', hidden: true })
  readonly #cut = create('p', { className: 'hint', hidden: true })
  readonly #cancel: HTMLButtonElement
  readonly #rest: HTMLButtonElement[]

  constructor(run: Run, actions: GalleryActions) {
    this.#run = run
    const title = titleOf(run.ask)
    this.#cancel = createButton('Cancel', `Cancel ${title}`, () => actions.cancel(run))
    this.#rest = [
      createButton('Repeat', `Repeat ${title} with new seeds`, () => actions.repeat(run)),
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
        create('div', { className: 'run-tools' }, this.#cancel, ...this.#rest)
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
    this.#facts.textContent = describeRun(this.#run)
    this.element.dataset['state'] = this.#run.state
    setText(this.#problem, this.#run.problem)
    const { cut = [] } = this.#run
    setText(this.#cut, cut.length === 0 ? undefined : `Too long for the model; it did not read “${cut.join('”, “')}”.`)
    if (over && document.activeElement === this.#cancel) {
      for (const button of this.#rest) button.hidden = false
      this.#rest[0]!.focus()
    }
    this.#cancel.hidden = over
    for (const button of this.#rest) button.hidden = !over
  }
}
