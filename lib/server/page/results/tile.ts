import { urlOf } from '../dom/blob-url.js'
import { create, createButton } from '../dom/dom.js'
import { fractionOf, isOver, type Picture, type Run } from '../runs/run.js'
import { describeSlot, fileName } from './describe.js'

export interface TileActions {
  open(run: Run, index: number): void
  reuse(run: Run, picture: Picture): void
  vary(run: Run, picture: Picture): void
  edit(run: Run, picture: Picture): void
  mix(run: Run, picture: Picture): void
}

/** One picture of a run: a preview with its progress, then the picture with what one can do with it. */
export class Tile {
  readonly element = create('li', { className: 'tile' })
  readonly #frame = create('div', { className: 'frame' })
  readonly #image = create('img', { alt: '' })
  readonly #bar = create('progress', { max: 1 })
  readonly #status = create('p', { className: 'tile-status' })
  readonly #run: Run
  readonly #index: number
  readonly #actions: TileActions
  #finished = false

  constructor(run: Run, index: number, actions: TileActions) {
    this.#run = run
    this.#index = index
    this.#actions = actions
    this.#image.hidden = true
    this.#image.addEventListener('load', () => this.#image.classList.toggle('small-picture', this.#image.naturalWidth <= 256))
    this.#bar.setAttribute('aria-label', `Progress of picture ${index + 1}`)
    this.#frame.append(this.#image)
    this.element.append(this.#frame, this.#bar, this.#status)
    this.update()
  }

  update(): void {
    const slot = this.#run.slots[this.#index]!
    if (slot.picture !== undefined) return this.#finish(slot.picture)
    const { start } = this.#run.ask
    if (slot.preview !== undefined) this.#show(slot.preview, 'Preview')
    else if (start !== undefined) this.#show(start.file, 'Starting picture')
    this.#image.classList.toggle('faint', slot.preview === undefined)
    const over = isOver(this.#run)
    this.element.classList.toggle('over', over)
    this.#bar.hidden = over
    this.#status.textContent = over ? '' : describeSlot(this.#run, slot)
    const done = fractionOf(this.#run, slot)
    if (done === undefined) this.#bar.removeAttribute('value')
    else this.#bar.value = done
  }

  #finish(picture: Picture): void {
    if (this.#finished) return
    this.#finished = true
    const { element } = this
    const label = `picture ${this.#index + 1}, seed ${picture.seed}`
    this.#image.classList.remove('faint')
    this.#show(picture.file, `${this.#run.ask.prompt || 'Picture'}, seed ${picture.seed}`)
    const open = create('button', { type: 'button', className: 'frame' }, this.#image)
    open.setAttribute('aria-label', `Open ${label}`)
    open.addEventListener('click', () => this.#actions.open(this.#run, this.#index))
    const { reuse, vary, edit } = this.#actions
    const actions = create(
      'div',
      { className: 'tile-actions' },
      createButton('Vary', `Vary ${label}`, () => vary(this.#run, picture)),
      createButton('Edit', `Edit ${label}`, () => edit(this.#run, picture)),
      createButton('Reuse', `Reuse: put the settings and the seed of ${label} into the form`, () => reuse(this.#run, picture)),
      createSave(this.#run, picture, 'Save', `Save ${label} as PNG`)
    )
    element.classList.add('done')
    element.replaceChildren(open, create('p', { className: 'seed' }, `seed ${picture.seed}`), actions)
  }

  #show(file: Blob, text: string): void {
    this.#image.hidden = false
    const url = urlOf(file)
    if (this.#image.src !== url) this.#image.src = url
    this.#image.alt = text
  }
}

/** A link that saves a picture under a name that says what it is. */
export function createSave(run: Run, picture: Picture, text: string, label: string): HTMLAnchorElement {
  const link = create(
    'a',
    {
      className: 'small quiet',
      href: urlOf(picture.file),
      download: fileName(run, picture),
      title: 'A PNG whose metadata has the settings'
    },
    text
  )
  link.setAttribute('aria-label', label)
  return link
}
