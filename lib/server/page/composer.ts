import type { Refusal } from './api.js'
import type { Ask } from './ask.js'
import { create, find, setText } from './dom.js'
import type { Limits, Model } from './models.js'
import type { StartPicture } from './start-picture.js'

/** The fields of requests, and where the form has them. */
const FIELDS = {
  prompt: 'prompt',
  negative_prompt: 'negative',
  size: 'width',
  n: 'count',
  seed: 'seed',
  model: 'model',
  strength: 'strength',
  prior_steps: 'prior-steps',
  prior_guidance_scale: 'prior-guidance',
  decoder_steps: 'decoder-steps',
  decoder_guidance_scale: 'decoder-guidance'
} as const

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement

/** The form. Whatever is left empty is left to the model, whose values stand there in grey. */
export class Composer {
  readonly form = find('composer', HTMLFormElement)
  readonly #start: StartPicture
  readonly #model = find('model', HTMLSelectElement)
  readonly #width = find('width', HTMLSelectElement)
  readonly #height = find('height', HTMLSelectElement)
  #models: readonly Model[] = []
  #sizedForPicture = false

  constructor(start: StartPicture) {
    this.#start = start
    this.#model.addEventListener('change', () => this.#showModel())
    for (const [side, other] of [
      [this.#width, this.#height],
      [this.#height, this.#width]
    ] as const) {
      side.addEventListener('change', () => {
        // Not one side as the picture has it and the other not.
        if (this.#start.value !== undefined && (side.value === '') !== (other.value === '')) other.value = side.value
      })
    }
    this.form.addEventListener('input', () => this.#clearProblems())
  }

  get model(): Model | undefined {
    return this.#models.find(({ id }) => id === this.#model.value)
  }

  /** Fills in what the server has. */
  setUp(models: readonly Model[], limits: Limits): void {
    this.#models = models
    this.#model.replaceChildren(...models.map(({ id }) => create('option', { value: id }, id)))
    this.#model.disabled = models.length < 2
    const most = {
      count: limits.images,
      'prior-steps': limits.priorSteps,
      'decoder-steps': limits.decoderSteps,
      'prior-guidance': limits.guidance,
      'decoder-guidance': limits.guidance
    }
    for (const [id, max] of Object.entries(most)) find(id, HTMLInputElement).max = String(max)
    this.#showModel()
    find('generate', HTMLButtonElement).disabled = false
  }

  /** What the form asks for; undefined where it has to be changed first, which it then says. */
  read(): Ask | undefined {
    this.#clearProblems()
    const start = this.#start.value
    const prompt = find('prompt', HTMLTextAreaElement).value.trim()
    if (prompt === '' && start?.mode !== 'vary') return this.#complain('prompt', 'Say what to draw.')
    for (const control of this.form.querySelectorAll<HTMLInputElement>('input[type=number]')) {
      const { valid, badInput, rangeUnderflow, rangeOverflow } = control.validity
      if (!valid && (badInput || rangeUnderflow || rangeOverflow || control.step === '1'))
        return this.#complain(control.id, control.validationMessage)
    }
    const number = (id: string) => {
      const { value } = find(id, HTMLInputElement)
      return value === '' ? undefined : Number(value)
    }
    return {
      model: this.#model.value,
      prompt,
      negativePrompt: find('negative', HTMLInputElement).value.trim(),
      size: this.#size(),
      count: number('count') ?? 1,
      seed: number('seed'),
      start,
      priorSteps: number('prior-steps'),
      priorGuidance: number('prior-guidance'),
      decoderSteps: number('decoder-steps'),
      decoderGuidance: number('decoder-guidance')
    }
  }

  /** Puts everything of a former request back. */
  write(ask: Ask): void {
    const put = (id: string, value: string | number | undefined) => {
      ;(document.getElementById(id) as Control).value = String(value ?? '')
    }
    if (this.#models.some(({ id }) => id === ask.model) && ask.model !== this.#model.value) {
      this.#model.value = ask.model
      this.#showModel()
    }
    put('prompt', ask.prompt)
    put('negative', ask.negativePrompt)
    if (ask.start === undefined) this.#start.clear()
    else this.#start.set(ask.start)
    const [width = '', height = ''] = ask.size === 'auto' ? [] : ask.size.split('x')
    choose(this.#width, width)
    choose(this.#height, height)
    put('count', ask.count)
    put('seed', ask.seed)
    put('prior-steps', ask.priorSteps)
    put('prior-guidance', ask.priorGuidance)
    put('decoder-steps', ask.decoderSteps)
    put('decoder-guidance', ask.decoderGuidance)
    this.#clearProblems()
  }

  /** Says of a field, or of all of it, what the server had against it. */
  showRefusal({ param, message }: Refusal): void {
    this.#complain(FIELDS[param as keyof typeof FIELDS], message)
  }

  /** Words that depend on whether there is a picture to start from. */
  showMode(): void {
    const start = this.#start.value
    find('generate-label', HTMLElement).textContent = start === undefined ? 'Generate' : start.mode === 'vary' ? 'Vary' : 'Edit'
    find('add-picture', HTMLButtonElement).textContent = start === undefined ? 'From a picture…' : 'Another picture…'
    this.#showSizes()
  }

  #showModel(): void {
    const { model } = this
    if (model === undefined) return
    this.#start.model = model
    find('add-picture', HTMLButtonElement).disabled = !model.reads_images
    const defaults = {
      'prior-steps': model.default_prior_steps,
      'prior-guidance': model.default_prior_guidance_scale,
      'decoder-steps': model.default_decoder_steps,
      'decoder-guidance': model.default_decoder_guidance_scale
    }
    for (const [id, value] of Object.entries(defaults)) find(id, HTMLInputElement).placeholder = String(value)
    this.#showSizes()
  }

  /** The model's own size, or the picture's, where neither side was chosen. */
  #size(): string {
    const chosen = [this.#width.value, this.#height.value]
    return chosen.every(side => side === '') ? 'auto' : chosen.map((side, index) => side || this.#ownSides[index]!).join('x')
  }

  get #ownSides(): readonly string[] {
    return this.model?.default_size.split('x') ?? []
  }

  /** Sides to choose from; the empty value is the model's own, or with a picture to start from "As the picture". */
  #showSizes(): void {
    const { model } = this
    if (model === undefined) return
    const sides = model.sides.map(String),
      forPicture = this.#start.value !== undefined
    const kept = forPicture === this.#sizedForPicture
    this.#sizedForPicture = forPicture
    for (const [index, select] of [this.#width, this.#height].entries()) {
      const { value } = select
      const auto = forPicture ? 'As the picture' : this.#ownSides[index]!
      const options = sides.includes(auto) ? sides : [auto, ...sides]
      select.replaceChildren(...options.map(side => create('option', { value: side === auto ? '' : side }, side)))
      choose(select, kept ? value : '')
    }
  }

  #complain(id: string | undefined, message: string): undefined {
    setText(find('problem', HTMLElement), message)
    const control = id === undefined ? null : document.getElementById(id)
    if (control === null) return
    const details = control.closest('details')
    if (details !== null) details.open = true
    control.setAttribute('aria-invalid', 'true')
    control.setAttribute('aria-describedby', 'problem')
    control.focus()
  }

  #clearProblems(): void {
    setText(find('problem', HTMLElement), undefined)
    for (const control of document.querySelectorAll('[aria-invalid]')) {
      control.removeAttribute('aria-invalid')
      control.removeAttribute('aria-describedby')
    }
  }
}

/** Chooses what is there, otherwise what is chosen without a choice. */
function choose(select: HTMLSelectElement, value: string): void {
  select.value = value
  if (select.selectedIndex === -1) select.value = ''
}
