import { urlOf } from '../dom/blob-url.js'
import { create, createButton, find } from '../dom/dom.js'
import { titleOf } from '../runs/ask.js'
import type { Run } from '../runs/run.js'
import { showCommand } from './command.js'
import { createComparison } from './comparison.js'
import { describePicture } from './describe.js'
import { createSave, type TileActions } from './tile.js'

type Action = Exclude<keyof TileActions, 'open'>

/** One picture by itself, as large as fits, with everything that made it. */
export class Viewer {
  readonly #dialog = find('viewer', HTMLDialogElement)
  readonly #actions: Omit<TileActions, 'open'>
  #image = create('img')

  constructor(actions: Omit<TileActions, 'open'>) {
    this.#actions = actions
    addEventListener('resize', () => {
      if (this.#dialog.open) this.#fit()
    })
    // A click beside it.
    this.#dialog.addEventListener('click', event => {
      if (event.target === this.#dialog) this.#dialog.close()
    })
  }

  open(run: Run, index: number): void {
    const picture = run.slots[index]!.picture!
    const act = (action: Action) => () => {
      this.#dialog.close()
      this.#actions[action](run, picture)
    }
    const title = titleOf(run.ask)
    this.#image = create('img', { alt: `${title}, seed ${picture.seed}` })
    this.#image.addEventListener('load', () => this.#fit())
    this.#image.src = urlOf(picture.file)
    const heading = create('h2', {}, title)
    heading.id = 'viewer-title'
    const rows = describePicture(run, picture).flatMap(([name, value]) => [create('dt', {}, name), create('dd', {}, value)])
    // Whoever goes through pictures by a button presses it again.
    const pressed = this.#dialog.contains(document.activeElement) ? document.activeElement!.getAttribute('aria-label') : null
    const close = createButton('Close', 'Close', () => this.#dialog.close())
    const others = run.slots.map(({ picture }, at) => (picture === undefined ? -1 : at)).filter(at => at >= 0)
    const step = (by: number) => this.open(run, others[(others.indexOf(index) + by + others.length) % others.length]!)
    this.#dialog.onkeydown = ({ key, target }) => {
      // In the slider the arrows are its own.
      if (target instanceof HTMLInputElement || others.length < 2) return
      if (key === 'ArrowRight') step(1)
      if (key === 'ArrowLeft') step(-1)
    }
    const { start } = run.ask
    const comparison = start === undefined || start.mode === 'mix' ? undefined : createComparison(this.#image, start.file)
    const steps =
      others.length < 2
        ? []
        : [
            create(
              'div',
              { className: 'viewer-steps' },
              createButton('← Previous', 'Previous picture', () => step(-1)),
              create('span', { className: 'hint' }, `${others.indexOf(index) + 1} of ${others.length}`),
              createButton('Next →', 'Next picture', () => step(1))
            )
          ]
    this.#dialog.replaceChildren(
      create(
        'div',
        { className: 'viewer-picture' },
        comparison?.picture ?? this.#image,
        ...(comparison?.controls ?? []),
        ...steps
      ),
      create(
        'div',
        { className: 'viewer-about' },
        create('header', {}, heading, close),
        create('dl', {}, ...rows),
        create(
          'footer',
          {},
          createButton('Vary', 'Vary this picture', act('vary')),
          createButton('Edit', 'Edit this picture', act('edit')),
          createButton('Mix', 'Mix this picture with another', act('mix')),
          createButton('Reuse', 'Reuse: put these settings and the seed into the form', act('reuse')),
          // Of a mix there is no request with files that somebody has.
          ...(start?.mode === 'mix'
            ? []
            : [createButton('As curl…', 'As curl…: the same from a terminal', () => showCommand(run, picture))]),
          createPrimary(createSave(run, picture, 'Save PNG', 'Save PNG'))
        )
      )
    )
    if (!this.#dialog.open) this.#dialog.showModal()
    const again = [...this.#dialog.querySelectorAll('button')].find(button => button.getAttribute('aria-label') === pressed)
    ;(again ?? close).focus()
  }

  /** Small pictures at a whole multiple of their size: every pixel of theirs is then as large as the next. */
  #fit(): void {
    const { naturalWidth: width, naturalHeight: height } = this.#image
    const stage = this.#image.closest('.viewer-picture')
    if (stage === null || width === 0) return
    const { paddingLeft, paddingRight } = getComputedStyle(stage)
    const across = stage.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)
    const room = Math.min(across / width, (innerHeight * (innerWidth < 760 ? 0.5 : 0.76)) / height)
    const device = devicePixelRatio
    const scale = room < 1 ? room : Math.floor(room * device) / device
    this.#image.style.width = `${width * scale}px`
    this.#image.classList.toggle('small-picture', scale > 1)
  }
}

function createPrimary(link: HTMLAnchorElement): HTMLAnchorElement {
  link.className = 'small primary'
  return link
}
