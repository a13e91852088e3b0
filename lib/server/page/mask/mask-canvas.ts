/** Strokes to take back. */
const MOST_UNDO = 30
/** What is painted, before the style sheet makes it translucent: stripes, which no picture hides. */
const [DARK, LIGHT] = ['#1d35ff', '#ffffff']

interface Point {
  x: number
  y: number
}

/** A mask of a picture's own size on a canvas: painted where the picture is to change. */
export class MaskCanvas {
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  #paint: CanvasPattern | string = DARK
  readonly #undo: ImageData[] = []
  /** Whether the stroke that was begun has no point yet. */
  fresh = true

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas
    this.#context = canvas.getContext('2d', { willReadFrequently: true })!
  }

  async start(width: number, height: number, former: Blob | undefined): Promise<void> {
    Object.assign(this.#canvas, { width, height })
    this.#undo.length = 0
    this.#paint =
      this.#context.createPattern(createStripes(Math.max(2, Math.round(Math.min(width, height) / 48))), 'repeat') ?? DARK
    if (former === undefined) return
    this.#context.drawImage(await createImageBitmap(former), 0, 0, width, height)
    const pixels = this.#pixels()
    // Black is what stays.
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at]!
    this.#context.putImageData(pixels, 0, 0)
    this.#colour()
  }

  /** Begins what `undo` takes back. */
  begin(): void {
    this.#undo.push(this.#pixels())
    if (this.#undo.length > MOST_UNDO) this.#undo.shift()
    this.fresh = true
  }

  /** From one point to another; points in shares of the sides, the brush in shares of the shorter one. */
  stroke(from: Point, to: Point, size: number, erase: boolean): void {
    const { width, height } = this.#canvas
    const context = this.#context
    context.globalCompositeOperation = erase ? 'destination-out' : 'source-over'
    Object.assign(context, { strokeStyle: this.#paint, lineCap: 'round', lineWidth: size * Math.min(width, height) })
    context.beginPath()
    context.moveTo(from.x * width, from.y * height)
    context.lineTo(to.x * width, to.y * height)
    context.stroke()
    this.fresh = false
  }

  undo(): void {
    const pixels = this.#undo.pop()
    if (pixels !== undefined) this.#context.putImageData(pixels, 0, 0)
  }

  invert(): void {
    this.begin()
    const pixels = this.#pixels()
    for (let at = 3; at < pixels.data.length; at += 4) pixels.data[at] = 255 - pixels.data[at]!
    this.#context.putImageData(pixels, 0, 0)
    this.#colour()
  }

  clear(): void {
    this.begin()
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height)
  }

  /** White on black, as the server takes it; undefined where nothing is painted. */
  async finish(): Promise<Blob | undefined> {
    const pixels = this.#pixels()
    let painted = false
    for (let at = 0; at < pixels.data.length; at += 4) {
      const alpha = pixels.data[at + 3]!
      painted ||= alpha > 0
      pixels.data.set([alpha, alpha, alpha, 255], at)
    }
    if (!painted) return undefined
    const canvas = document.createElement('canvas')
    Object.assign(canvas, { width: pixels.width, height: pixels.height })
    canvas.getContext('2d')!.putImageData(pixels, 0, 0)
    return new Promise((resolve, reject) => {
      canvas.toBlob(file => (file === null ? reject(new Error('The browser cannot write the mask')) : resolve(file)))
    })
  }

  #pixels(): ImageData {
    return this.#context.getImageData(0, 0, this.#canvas.width, this.#canvas.height)
  }

  /** Gives everything that is painted the one pattern. */
  #colour(): void {
    const context = this.#context
    context.globalCompositeOperation = 'source-in'
    context.fillStyle = this.#paint
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height)
  }
}

/** A piece of diagonal stripes that are `width` pixels wide. */
function createStripes(width: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  const side = width * 4
  Object.assign(canvas, { width: side, height: side })
  const context = canvas.getContext('2d')!
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      context.fillStyle = (x + y) % side < side / 2 ? DARK : LIGHT
      context.fillRect(x, y, 1, 1)
    }
  }
  return canvas
}
