import type { Start } from './ask.js'
import { forget, urlOf } from './blob-url.js'
import { find, setText } from './dom.js'
import type { MaskEditor } from './mask-editor.js'
import type { Model } from './models.js'

/** The picture that the next run starts from, if there is one, and what is to be done with it. */
export class StartPicture {
  readonly #section = find('source', HTMLElement)
  readonly #picture = find('source-picture', HTMLImageElement)
  readonly #strength = find('strength', HTMLInputElement)
  readonly #drawMask = find('draw-mask', HTMLButtonElement)
  readonly #modes = [...this.#section.querySelectorAll<HTMLInputElement>('input[name=mode]')]
  readonly #masks: MaskEditor
  readonly #changed: () => void
  #file: Blob | undefined
  #name = ''
  #mask: Blob | undefined
  /** Undefined while nobody has moved it: then the model's own holds. */
  #chosen: number | undefined
  #model: Model | undefined

  constructor(masks: MaskEditor, changed: () => void) {
    this.#masks = masks
    this.#changed = changed
    find('remove-source', HTMLButtonElement).addEventListener('click', () => this.clear())
    this.#drawMask.addEventListener('click', () => {
      void this.drawMask()
    })
    this.#strength.addEventListener('input', () => {
      this.#chosen = this.#strength.valueAsNumber
      this.#show()
    })
    for (const mode of this.#modes) mode.addEventListener('change', () => this.#show())
  }

  get value(): Start | undefined {
    const mode = this.#mode
    return this.#file === undefined
      ? undefined
      : { mode, file: this.#file, name: this.#name, strength: this.#chosen, mask: mode === 'edit' ? this.#mask : undefined }
  }

  set model(model: Model) {
    this.#model = model
    this.#show()
  }

  set({ mode, file, name, strength, mask }: Start): void {
    if (this.#mask !== undefined && this.#mask !== mask) forget(this.#mask)
    this.#file = file
    this.#name = name
    this.#mask = mask
    this.#chosen = strength
    for (const each of this.#modes) each.checked = each.value === mode
    this.#picture.src = urlOf(file)
    this.#show()
  }

  clear(): void {
    this.#file = this.#mask = this.#chosen = undefined
    this.#picture.removeAttribute('src')
    this.#show()
    find('prompt', HTMLTextAreaElement).focus()
  }

  async drawMask(): Promise<void> {
    if (this.#file === undefined) return
    try {
      const mask = await this.#masks.draw(this.#file, this.#mask)
      if (mask !== 'cancelled') this.#mask = mask
      this.#show()
    } catch {
      setText(find('problem', HTMLElement), `${this.#name} cannot be decoded.`)
    }
  }

  get #mode(): Start['mode'] {
    return this.#modes.find(each => each.checked)!.value as Start['mode']
  }

  #show(): void {
    const editing = this.#mode === 'edit'
    this.#section.hidden = this.#file === undefined
    this.#drawMask.hidden = !editing
    this.#drawMask.textContent = this.#mask === undefined ? 'Draw a mask' : 'Change the mask'
    setText(find('source-name', HTMLElement), editing && this.#mask !== undefined ? `${this.#name}, masked` : this.#name)
    if (this.#model !== undefined) {
      const { default_vary_strength: vary, default_edit_strength: edit, default_masked_edit_strength: masked } = this.#model
      this.#strength.valueAsNumber = this.#chosen ?? (!editing ? vary : this.#mask === undefined ? edit : masked)
    }
    find('strength-value', HTMLOutputElement).value = this.#strength.valueAsNumber.toFixed(2)
    this.#changed()
  }
}
