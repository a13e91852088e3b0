import type { Model } from '../api/models.js'
import { create, find } from '../dom/dom.js'

/** Shapes by their ratio of width to height; the nearest that the model has is taken. */
const SHAPES = { Square: 1, Portrait: 3 / 4, Landscape: 4 / 3 } as const
/** What is farther from a shape than this is not that shape. */
const FARTHEST = 1.45

/** Width and height: chosen one by one, by shape, or swapped. */
export class Sizes {
  readonly #width = find('width', HTMLSelectElement)
  readonly #height = find('height', HTMLSelectElement)
  readonly #shapes = find('shapes', HTMLElement)
  #model: Model | undefined
  #forPicture = false

  constructor(changed: () => void) {
    for (const [side, other] of [
      [this.#width, this.#height],
      [this.#height, this.#width]
    ] as const) {
      side.addEventListener('change', () => {
        // Not one side as the picture has it and the other not.
        if (this.#forPicture && (side.value === '') !== (other.value === '')) other.value = side.value
        this.#mark()
      })
    }
    find('swap', HTMLButtonElement).addEventListener('click', () => {
      const [width = '', height = ''] = this.#resolved
      this.#put(height, width)
      changed()
    })
    for (const shape of Object.keys(SHAPES) as (keyof typeof SHAPES)[]) {
      const button = create('button', { type: 'button', className: 'small' }, shape)
      button.addEventListener('click', () => {
        const sides = this.#sidesOf(shape)
        if (sides !== undefined) this.#put(...sides)
        changed()
      })
      this.#shapes.append(button)
    }
  }

  /** WIDTHxHEIGHT, or auto where neither side was chosen: the model's own size, or the picture's. */
  get value(): string {
    const chosen = [this.#width.value, this.#height.value]
    return chosen.every(side => side === '') ? 'auto' : this.#resolved.join('x')
  }

  set value(size: string) {
    const [width = '', height = ''] = size === 'auto' ? [] : size.split('x')
    choose(this.#width, width)
    choose(this.#height, height)
    this.#mark()
  }

  /** Sides to choose from; the empty value is the model's own, or with a picture to start from "As picture". */
  show(model: Model, forPicture: boolean): void {
    const kept = forPicture === this.#forPicture
    this.#model = model
    this.#forPicture = forPicture
    for (const [index, select] of [this.#width, this.#height].entries()) {
      const { value } = select
      const auto = forPicture ? 'As picture' : this.#ownSides[index]!
      const sides = model.sides.map(String)
      const options = sides.includes(auto) ? sides : [auto, ...sides]
      select.replaceChildren(...options.map(side => create('option', { value: side === auto ? '' : side }, side)))
      choose(select, kept ? value : '')
    }
    this.#mark()
  }

  get #ownSides(): readonly string[] {
    return this.#model?.default_size.split('x') ?? []
  }

  /** The sides as numbers; the model's own where none was chosen. */
  get #resolved(): string[] {
    return [this.#width.value, this.#height.value].map((side, index) => side || this.#ownSides[index]!)
  }

  #put(width: string, height: string): void {
    for (const [index, [select, side]] of (
      [
        [this.#width, width],
        [this.#height, height]
      ] as const
    ).entries())
      choose(select, !this.#forPicture && side === this.#ownSides[index] ? '' : side)
    this.#mark()
  }

  /** Of the sizes that the model makes, the one nearest to a shape and to the model's own number of pixels. */
  #sidesOf(shape: keyof typeof SHAPES): [string, string] | undefined {
    const { sides = [] } = this.#model ?? {}
    const [ownWidth = 1, ownHeight = 1] = this.#ownSides.map(Number)
    const away = (value: number, wanted: number) => Math.abs(Math.log(value / wanted))
    const candidates = sides
      .flatMap(width => sides.map(height => [width, height] as const))
      .filter(([width, height]) => Math.sign(width - height) === Math.sign(SHAPES[shape] - 1))
      .map(([width, height]) => ({
        sides: [String(width), String(height)] as [string, string],
        ratio: away(width / height, SHAPES[shape]),
        away: away(width / height, SHAPES[shape]) * 2 + away(width * height, ownWidth * ownHeight)
      }))
      .filter(({ ratio }) => ratio <= Math.log(FARTHEST))
      .sort((a, b) => a.away - b.away)
    return candidates[0]?.sides
  }

  /** Says which shape is chosen, and shows none that the model cannot make. */
  #mark(): void {
    const chosen = this.#forPicture && this.#width.value === '' ? '' : this.#resolved.join('x')
    for (const button of this.#shapes.querySelectorAll('button')) {
      const sides = this.#sidesOf(button.textContent as keyof typeof SHAPES)
      button.hidden = sides === undefined
      button.setAttribute('aria-pressed', String(sides?.join('x') === chosen))
    }
  }
}

/** Chooses what is there, otherwise what is chosen without a choice. */
function choose(select: HTMLSelectElement, value: string): void {
  select.value = value
  if (select.selectedIndex === -1) select.value = ''
}
