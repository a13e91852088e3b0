import { urlOf } from '../dom/blob-url.js'
import { find } from '../dom/dom.js'
import { MaskCanvas } from './mask-canvas.js'

/** How far one press of an arrow key moves the brush, as a share of the picture. */
const KEY_STEP = 0.02

/** The dialog in which a mask is painted over a picture, by pointer or by keys. */
export class MaskEditor {
  readonly #dialog = find('mask', HTMLDialogElement)
  readonly #image = find('mask-image', HTMLImageElement)
  readonly #canvas = find('mask-canvas', HTMLCanvasElement)
  readonly #brush = find('mask-brush', HTMLElement)
  readonly #size = find('brush-size', HTMLInputElement)
  readonly #mask = new MaskCanvas(this.#canvas)
  /** Where the brush is, in shares of the picture's sides. */
  #at = { x: 0.5, y: 0.5 }
  #painting = false

  constructor() {
    const canvas = this.#canvas
    canvas.addEventListener('pointerdown', event => {
      canvas.setPointerCapture(event.pointerId)
      this.#painting = true
      this.#mask.begin()
      this.#follow(event)
    })
    canvas.addEventListener('pointermove', event => this.#follow(event))
    for (const name of ['pointerup', 'pointercancel'] as const)
      canvas.addEventListener(name, () => {
        this.#painting = false
      })
    canvas.addEventListener('keydown', event => this.#key(event))
    this.#size.addEventListener('input', () => this.#showBrush())
    addEventListener('resize', () => {
      if (this.#dialog.open) this.#showBrush()
    })
    find('mask-undo', HTMLButtonElement).addEventListener('click', () => this.#mask.undo())
    find('mask-invert', HTMLButtonElement).addEventListener('click', () => this.#mask.invert())
    find('mask-clear', HTMLButtonElement).addEventListener('click', () => this.#mask.clear())
    find('mask-cancel', HTMLButtonElement).addEventListener('click', () => this.#dialog.close(''))
    find('mask-done', HTMLButtonElement).addEventListener('click', () => this.#dialog.close('done'))
  }

  /**
   * The mask for a picture, going on from a former one; undefined: nothing is painted; `cancelled`: leave it as it was.
   * Rejects for a file that the browser cannot decode.
   */
  async draw(picture: Blob, former: Blob | undefined): Promise<Blob | undefined | 'cancelled'> {
    // Not the element's own decoding: that waits for a frame to be drawn, which may never come while the dialog is closed.
    const bitmap = await createImageBitmap(picture)
    const { width, height } = bitmap
    bitmap.close()
    this.#image.src = urlOf(picture)
    this.#image.classList.toggle('small-picture', width <= 256)
    await this.#mask.start(width, height, former)
    this.#at = { x: 0.5, y: 0.5 }
    this.#dialog.returnValue = ''
    this.#dialog.showModal()
    this.#canvas.focus()
    this.#fit(width, height)
    this.#showBrush()
    await new Promise(resolve => this.#dialog.addEventListener('close', resolve, { once: true }))
    return this.#dialog.returnValue === 'done' ? this.#mask.finish() : 'cancelled'
  }

  #fit(width: number, height: number): void {
    const room = Math.min((innerWidth - 48) / width, (innerHeight * 0.55) / height, 560 / width)
    this.#image.style.width = `${width * (room > 1 ? Math.max(1, Math.floor(room)) : room)}px`
  }

  #follow({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect()
    this.#moveTo((clientX - left) / width, (clientY - top) / height)
  }

  #key(event: KeyboardEvent): void {
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1]
    }
    const move = moves[event.key]
    const step = event.shiftKey ? KEY_STEP * 5 : KEY_STEP
    if (move !== undefined) this.#moveTo(this.#at.x + move[0] * step, this.#at.y + move[1] * step)
    else if (event.key === ' ') {
      this.#mask.begin()
      this.#paint(this.#at)
    } else if (event.key.toLowerCase() === 'z') this.#mask.undo()
    else return
    event.preventDefault()
  }

  #moveTo(x: number, y: number): void {
    const from = this.#at
    this.#at = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) }
    this.#showBrush()
    if (this.#painting) this.#paint(from)
  }

  #paint(from: { x: number; y: number }): void {
    const erase = this.#dialog.querySelector<HTMLInputElement>('input[name=tool]:checked')!.value === 'erase'
    // A stroke begins where the pointer came down, not where the brush was before.
    const start = this.#mask.fresh ? this.#at : from
    this.#mask.stroke(start, this.#at, this.#size.valueAsNumber / 100, erase)
  }

  #showBrush(): void {
    const { width, height } = this.#canvas.getBoundingClientRect()
    const pixels = (this.#size.valueAsNumber / 100) * Math.min(this.#canvas.width, this.#canvas.height)
    find('brush-value', HTMLOutputElement).value = `${Math.max(1, Math.round(pixels))} px`
    const across = (this.#size.valueAsNumber / 100) * Math.min(width, height)
    Object.assign(this.#brush.style, {
      width: `${across}px`,
      height: `${across}px`,
      left: `${this.#at.x * width}px`,
      top: `${this.#at.y * height}px`
    })
  }
}
