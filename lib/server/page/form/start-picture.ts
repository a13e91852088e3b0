import type { Model } from '../api/models.js'
import { forget, urlOf } from '../dom/blob-url.js'
import { find, setText } from '../dom/dom.js'
import type { MaskEditor } from '../mask/mask-editor.js'
import type { Mode, Second, Start } from '../runs/ask.js'

/** The picture that the next run starts from, if there is one, and what is to be done with it. */
export class StartPicture {
  readonly #section = find('source', HTMLElement)
  readonly #picture = find('source-picture', HTMLImageElement)
  readonly #strength = find('strength', HTMLInputElement)
  readonly #share = find('share', HTMLInputElement)
  readonly #drawMask = find('draw-mask', HTMLButtonElement)
  readonly #modes = [...this.#section.querySelectorAll<HTMLInputElement>('input[name=mode]')]
  readonly #masks: MaskEditor
  readonly #changed: () => void
  #file: Blob | undefined
  #name = ''
  #mask: Blob | undefined
  #second: Second | undefined
  /** Undefined while nobody has moved it: then the model's own holds. */
  #chosen: number | undefined
  #model: Model | undefined

  constructor(masks: MaskEditor, changed: () => void) {
    this.#masks = masks
    this.#changed = changed
    find('remove-source', HTMLButtonElement).addEventListener('click', () => {
      this.clear()
      find('prompt', HTMLTextAreaElement).focus()
    })
    this.#drawMask.addEventListener('click', () => {
      void this.drawMask()
    })
    this.#strength.addEventListener('input', () => {
      this.#chosen = this.#strength.valueAsNumber
      this.#show()
    })
    this.#share.addEventListener('input', () => {
      if (this.#second !== undefined) this.#second = { ...this.#second, share: this.#share.valueAsNumber }
      this.#show()
    })
    for (const mode of this.#modes) mode.addEventListener('change', () => this.#show())
  }

  get value(): Start | undefined {
    if (this.#file === undefined) return undefined
    const mode = this.#mode
    return {
      mode,
      file: this.#file,
      name: this.#name,
      strength: mode === 'mix' ? undefined : this.#chosen,
      mask: mode === 'edit' ? this.#mask : undefined,
      ...(mode === 'mix' ? { second: this.#second } : {})
    }
  }

  /** Whether the next picture that comes is the second one of a mix. */
  get wantsSecond(): boolean {
    return this.#file !== undefined && this.#mode === 'mix' && this.#second === undefined
  }

  set model(model: Model) {
    this.#model = model
    this.#show()
  }

  set({ mode, file, name, strength, mask, second }: Start): void {
    if (this.#mask !== undefined && this.#mask !== mask) forget(this.#mask)
    this.#file = file
    this.#name = name
    this.#mask = mask
    this.#second = second
    this.#chosen = strength
    for (const each of this.#modes) each.checked = each.value === mode
    this.offer(undefined)
    this.#show()
  }

  setSecond(file: Blob, name: string): void {
    this.#second = { file, name, share: this.#second?.share ?? 0.5 }
    this.#show()
  }

  /** Offers the settings that are in the picture's file. */
  offer(use: (() => void) | undefined): void {
    find('use-recorded', HTMLButtonElement).hidden = use === undefined
    find('use-recorded', HTMLButtonElement).onclick = use ?? null
  }

  clear(): void {
    this.#file = this.#mask = this.#chosen = this.#second = undefined
    this.#show()
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

  get #mode(): Mode {
    return this.#modes.find(each => each.checked)!.value as Mode
  }

  #show(): void {
    const mode = this.#mode
    const second = this.#second
    this.#section.hidden = this.#file === undefined
    showPicture(this.#picture, this.#file)
    this.#drawMask.hidden = mode !== 'edit'
    this.#drawMask.textContent = this.#mask === undefined ? 'Draw a mask' : 'Change the mask'
    setText(find('source-name', HTMLElement), mode === 'edit' && this.#mask !== undefined ? `${this.#name}, masked` : this.#name)
    find('strength-field', HTMLElement).hidden = mode === 'mix'
    find('second', HTMLElement).hidden = mode !== 'mix'
    showPicture(find('second-picture', HTMLImageElement), second?.file)
    setText(find('second-name', HTMLElement), second?.name ?? 'Choose a second picture, or drop or paste one.')
    find('choose-second', HTMLButtonElement).textContent = second === undefined ? 'Second picture…' : 'Another…'
    find('share-field', HTMLElement).hidden = second === undefined
    this.#share.valueAsNumber = second?.share ?? 0.5
    find('share-value', HTMLOutputElement).value = `${Math.round(this.#share.valueAsNumber * 100)} %`
    if (this.#model !== undefined) {
      const { default_vary_strength: vary, default_edit_strength: edit, default_masked_edit_strength: masked } = this.#model
      this.#strength.valueAsNumber = this.#chosen ?? (mode !== 'edit' ? vary : this.#mask === undefined ? edit : masked)
    }
    find('strength-value', HTMLOutputElement).value = this.#strength.valueAsNumber.toFixed(2)
    this.#changed()
  }
}

function showPicture(image: HTMLImageElement, file: Blob | undefined): void {
  image.hidden = file === undefined
  if (file === undefined) image.removeAttribute('src')
  else if (image.src !== urlOf(file)) image.src = urlOf(file)
}
