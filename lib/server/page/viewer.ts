import { titleOf } from './ask.js'
import { urlOf } from './blob-url.js'
import { describePicture, fileName } from './describe.js'
import { create, createButton, find } from './dom.js'
import type { Run } from './run.js'
import type { TileActions } from './tile.js'

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
    const act = (action: keyof Omit<TileActions, 'open'>) => () => {
      this.#dialog.close()
      this.#actions[action](run, picture)
    }
    this.#image = create('img', { alt: `${titleOf(run.ask)}, seed ${picture.seed}` })
    this.#image.addEventListener('load', () => this.#fit())
    this.#image.src = urlOf(picture.file)
    const heading = create('h2', {}, titleOf(run.ask))
    heading.id = 'viewer-title'
    const rows = describePicture(run, picture).flatMap(([name, value]) => [create('dt', {}, name), create('dd', {}, value)])
    const close = createButton('Close', 'Close', () => this.#dialog.close())
    const step = (by: number) => {
      const others = run.slots.map(({ picture }, at) => (picture === undefined ? -1 : at)).filter(at => at >= 0)
      this.open(run, others[(others.indexOf(index) + by + others.length) % others.length]!)
    }
    this.#dialog.onkeydown = ({ key }) => {
      if (key === 'ArrowRight') step(1)
      if (key === 'ArrowLeft') step(-1)
    }
    this.#dialog.replaceChildren(
      create('div', { className: 'viewer-picture' }, this.#image),
      create(
        'div',
        { className: 'viewer-about' },
        create('header', {}, heading, close),
        create('dl', {}, ...rows),
        create(
          'footer',
          {},
          createButton('Again', 'Again: put these settings into the form', act('again')),
          createButton('Vary', 'Vary this picture', act('vary')),
          createButton('Edit', 'Edit this picture', act('edit')),
          create(
            'a',
            {
              className: 'small primary',
              href: urlOf(picture.file),
              download: fileName(run, picture),
              title: 'A PNG whose metadata has the settings'
            },
            'Save PNG'
          )
        )
      )
    )
    if (!this.#dialog.open) this.#dialog.showModal()
    close.focus()
  }

  /** Small pictures at a whole multiple of their size: every pixel of theirs is then as large as the next. */
  #fit(): void {
    const { naturalWidth: width, naturalHeight: height, parentElement } = this.#image
    if (parentElement === null || width === 0) return
    const room = Math.min(parentElement.clientWidth / width, (innerHeight * (innerWidth < 760 ? 0.5 : 0.8)) / height)
    const device = devicePixelRatio
    const scale = room < 1 ? room : Math.floor(room * device) / device
    this.#image.style.width = `${width * scale}px`
    this.#image.classList.toggle('small-picture', scale > 1)
  }
}
