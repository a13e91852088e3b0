import { urlOf } from './blob-url.js'
import { create, createButton } from './dom.js'
import { fileName } from './describe.js'
import type { Picture, Run, Slot } from './run.js'
import { isOver } from './run.js'

export interface TileActions {
  open(run: Run, index: number): void
  again(run: Run, picture: Picture): void
  vary(run: Run, picture: Picture): void
  edit(run: Run, picture: Picture): void
}

const STAGES = { prior: 'Prior', decoder: 'Decoder', vqDecoder: 'Pixels' } as const

/** One picture of a run: a preview with its progress, then the picture with what one can do with it. */
export class Tile {
  readonly element = create('li', { className: 'tile' })
  readonly #frame = create('button', { type: 'button', className: 'frame', disabled: true })
  readonly #image = create('img', { alt: '' })
  readonly #bar = create('progress', { max: 1 })
  readonly #status = create('p', { className: 'tile-status' })
  readonly #run: Run
  readonly #index: number
  readonly #actions: TileActions
  /** Steps of the prior, remembered while the decoder works. */
  #priorSteps = 0
  #finished = false

  constructor(run: Run, index: number, actions: TileActions) {
    this.#run = run
    this.#index = index
    this.#actions = actions
    this.#image.hidden = true
    this.#image.addEventListener('load', () => this.#image.classList.toggle('small-picture', this.#image.naturalWidth <= 256))
    this.#bar.setAttribute('aria-label', `Progress of picture ${index + 1}`)
    this.#frame.append(this.#image)
    this.#frame.addEventListener('click', () => actions.open(run, index))
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
    this.#status.textContent = over ? '' : statusOf(this.#run, slot)
    const done = this.#fraction(slot)
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
    this.#frame.disabled = false
    this.#frame.setAttribute('aria-label', `Open ${label}`)
    const download = create(
      'a',
      { className: 'small quiet', href: urlOf(picture.file), download: fileName(this.#run, picture) },
      'Save'
    )
    download.setAttribute('aria-label', `Save ${label} as PNG`)
    const { again, vary, edit } = this.#actions
    const actions = create(
      'div',
      { className: 'tile-actions' },
      createButton('Again', `Again: put the settings of ${label} into the form`, () => again(this.#run, picture)),
      createButton('Vary', `Vary ${label}`, () => vary(this.#run, picture)),
      createButton('Edit', `Edit ${label}`, () => edit(this.#run, picture)),
      download
    )
    element.classList.add('done')
    element.replaceChildren(this.#frame, create('p', { className: 'seed' }, `seed ${picture.seed}`), actions)
  }

  #show(file: Blob, text: string): void {
    this.#image.hidden = false
    const url = urlOf(file)
    if (this.#image.src !== url) this.#image.src = url
    this.#image.alt = text
  }

  /** How far it is, 0 to 1; undefined before its first step. */
  #fraction({ stage, step, steps }: Slot): number | undefined {
    const { decoderSteps } = this.#run.ask
    switch (stage) {
      case undefined:
        return undefined
      case 'prior': {
        this.#priorSteps = steps
        return step / (steps + (decoderSteps ?? Math.ceil(steps / 2)))
      }
      case 'decoder':
        return (this.#priorSteps + step) / (this.#priorSteps + steps)
      case 'vqDecoder':
        return 1
    }
  }
}

function statusOf({ state, position }: Run, { stage, step, steps }: Slot): string {
  if (state === 'sending') return 'Sending'
  if (state === 'queued') return position === undefined || position === 0 ? 'Next in line' : `${position} before it`
  if (stage === undefined) return 'Starting'
  return stage === 'vqDecoder' ? STAGES[stage] : `${STAGES[stage]} ${step} of ${steps}`
}
