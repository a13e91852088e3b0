import type { Limits, Model } from '../api/models.js'
import type { Refusal } from '../api/send.js'
import { create, find, setText } from '../dom/dom.js'
import type { Ask } from '../runs/ask.js'
import { Presets } from './presets.js'
import { Prompts } from './prompts.js'
import { Sizes } from './sizes.js'
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
  preset: 'preset',
  prior_steps: 'prior-steps',
  prior_guidance_scale: 'prior-guidance',
  prior_sampler: 'prior-sampler',
  decoder_steps: 'decoder-steps',
  decoder_guidance_scale: 'decoder-guidance',
  decoder_sampler: 'decoder-sampler'
} as const

const SAMPLERS = ['prior-sampler', 'decoder-sampler'] as const

function fillSamplers(select: HTMLSelectElement, samplers: readonly string[]): void {
  select.replaceChildren(create('option', { value: '' }), ...samplers.map(name => create('option', { value: name }, name)))
}

/** Leaves it to the model where the server does not have the sampler. */
function choose(id: (typeof SAMPLERS)[number], sampler: string | undefined): void {
  const select = find(id, HTMLSelectElement)
  select.value = sampler ?? ''
  if (select.selectedIndex < 0) select.value = ''
}

/** Where the form is above the results. */
const NARROW = matchMedia('(max-width: 859px)')

const ACTIONS = { vary: 'Vary', edit: 'Edit', mix: 'Mix' } as const

/** The form. Whatever is left empty is left to the model, whose values stand there in grey. */
export class Form {
  readonly element = find('composer', HTMLFormElement)
  readonly #start: StartPicture
  readonly #model = find('model', HTMLSelectElement)
  readonly #prompts = new Prompts()
  readonly #presets = new Presets()
  readonly #sizes = new Sizes(() => this.element.dispatchEvent(new Event('input', { bubbles: true })))
  #models: readonly Model[] = []
  #resolveReady = () => {}
  /** Once it is filled in with what the server has. */
  readonly ready = new Promise<void>(resolve => {
    this.#resolveReady = resolve
  })

  constructor(start: StartPicture) {
    this.#start = start
    this.#model.addEventListener('change', () => this.#showModel())
    this.#presets.element.addEventListener('change', () => this.#showDefaults())
    for (const name of ['input', 'change'])
      this.element.addEventListener(name, () => {
        this.#clearProblems()
        this.#showSummary()
      })
    const settings = find('settings', HTMLDetailsElement)
    // Beside the results there is room for all of it.
    const fit = () => {
      settings.open = !NARROW.matches
    }
    NARROW.addEventListener('change', fit)
    fit()
  }

  get model(): Model | undefined {
    return this.modelOf(this.#model.value)
  }

  modelOf(name: string): Model | undefined {
    return this.#models.find(({ id }) => id === name)
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
    for (const id of SAMPLERS) fillSamplers(find(id, HTMLSelectElement), limits.samplers)
    this.#showModel()
    this.setReady(undefined)
    this.#resolveReady()
  }

  /** Whether something can be asked for, and otherwise why not. */
  setReady(reason: string | undefined): void {
    const button = find('generate', HTMLButtonElement)
    button.disabled = reason !== undefined
    setText(find('why', HTMLElement), reason)
  }

  /** What the form asks for, one for each prompt; undefined where it has to be changed first, which it then says. */
  read(): Ask[] | undefined {
    this.#clearProblems()
    const start = this.#start.value
    const prompts = this.#prompts.value
    if (prompts[0] === '' && (start === undefined || start.mode === 'edit')) return this.complain('prompt', 'Say what to draw.')
    if (this.#prompts.problem !== undefined) return this.complain('prompt', this.#prompts.problem)
    if (start?.mode === 'mix' && start.second === undefined)
      return this.complain('choose-second', 'Choose a second picture to mix it with.')
    for (const control of this.element.querySelectorAll<HTMLInputElement>('input[type=number]')) {
      const { valid, badInput, rangeUnderflow, rangeOverflow } = control.validity
      if (!valid && (badInput || rangeUnderflow || rangeOverflow || control.step === '1'))
        return this.complain(control.id, control.validationMessage)
    }
    return prompts.map(prompt => ({ ...this.current, prompt }))
  }

  /** Everything in the form as it is, sound or not. */
  get current(): Ask {
    const number = (id: string) => {
      const { value } = find(id, HTMLInputElement)
      return value === '' ? undefined : Number(value)
    }
    const chosen = (id: string) => find(id, HTMLSelectElement).value || undefined
    return {
      model: this.#model.value,
      prompt: find('prompt', HTMLTextAreaElement).value,
      negativePrompt: find('negative', HTMLInputElement).value.trim(),
      size: this.#sizes.value,
      count: number('count') ?? 1,
      seed: number('seed'),
      start: this.#start.value,
      preset: this.#presets.value,
      priorSteps: number('prior-steps'),
      priorGuidance: number('prior-guidance'),
      priorSampler: chosen('prior-sampler'),
      decoderSteps: number('decoder-steps'),
      decoderGuidance: number('decoder-guidance'),
      decoderSampler: chosen('decoder-sampler')
    }
  }

  /** Puts everything of a former request back. */
  write(ask: Ask): void {
    const put = (id: string, value: string | number | undefined) => {
      find(id, HTMLInputElement).value = String(value ?? '')
    }
    if (this.modelOf(ask.model) !== undefined && ask.model !== this.#model.value) {
      this.#model.value = ask.model
      this.#showModel()
    }
    find('prompt', HTMLTextAreaElement).value = ask.prompt
    put('negative', ask.negativePrompt)
    if (ask.start === undefined) this.#start.clear()
    else this.#start.set(ask.start)
    this.#sizes.value = ask.size
    put('count', ask.count)
    put('seed', ask.seed)
    put('prior-steps', ask.priorSteps)
    put('prior-guidance', ask.priorGuidance)
    put('decoder-steps', ask.decoderSteps)
    put('decoder-guidance', ask.decoderGuidance)
    this.#presets.value = ask.preset
    choose('prior-sampler', ask.priorSampler)
    choose('decoder-sampler', ask.decoderSampler)
    this.#showDefaults()
    this.#prompts.show()
    // As after typing: it is kept, and what was wrong is not wrong any more.
    this.element.dispatchEvent(new Event('input', { bubbles: true }))
  }

  /** Says of a field, or of all of it, what the server had against it. */
  showRefusal({ param, message }: Refusal): void {
    this.complain(FIELDS[param as keyof typeof FIELDS], message)
  }

  /** Words that depend on whether there is a picture to start from. */
  showMode(): void {
    const start = this.#start.value
    find('generate-label', HTMLElement).textContent = start === undefined ? 'Generate' : ACTIONS[start.mode]
    find('add-picture', HTMLButtonElement).textContent = start === undefined ? 'From a picture…' : 'Another picture…'
    if (this.model !== undefined) this.#sizes.show(this.model, start !== undefined)
    this.#showSummary()
  }

  /** Where the form is above the results: folds the settings away, so that these are in sight. */
  fold(): void {
    if (NARROW.matches) find('settings', HTMLDetailsElement).open = false
  }

  /** Says what is wrong, and where. */
  complain(id: string | undefined, message: string): undefined {
    setText(find('problem', HTMLElement), message)
    const control = id === undefined ? null : document.getElementById(id)
    if (control === null) return
    for (let details = control.closest('details'); details !== null; details = details.parentElement!.closest('details'))
      details.open = true
    if (!(control instanceof HTMLButtonElement)) control.setAttribute('aria-invalid', 'true')
    control.setAttribute('aria-describedby', 'problem')
    control.focus()
  }

  #showModel(): void {
    const { model } = this
    if (model === undefined) return
    this.#start.model = model
    find('add-picture', HTMLButtonElement).disabled = !model.reads_images
    this.#presets.show(model)
    this.#showDefaults()
    this.showMode()
  }

  /** What is used where a field is left empty. */
  #showDefaults(): void {
    const { model } = this
    const preset = model?.presets[this.#presets.value ?? 'reference']
    if (model === undefined || preset === undefined) return
    const defaults = {
      'prior-steps': preset.prior_steps,
      'prior-guidance': model.default_prior_guidance_scale,
      'decoder-steps': preset.decoder_steps,
      'decoder-guidance': model.default_decoder_guidance_scale
    }
    for (const [id, value] of Object.entries(defaults)) find(id, HTMLInputElement).placeholder = String(value)
    const samplers = { 'prior-sampler': preset.prior_sampler, 'decoder-sampler': preset.decoder_sampler }
    for (const [id, own] of Object.entries(samplers)) find(id, HTMLSelectElement).options[0]!.textContent = `model’s own: ${own}`
  }

  /** What is folded away on a phone, in a few words. */
  #showSummary(): void {
    const { size, count, seed, start } = this.current
    const own = start === undefined ? (this.model?.default_size ?? '') : 'as the picture'
    const parts = [
      size === 'auto' ? own : size,
      count === 1 ? '1 picture' : `${count} pictures`,
      ...(seed === undefined ? [] : [`seed ${seed}`])
    ]
    find('settings-summary', HTMLElement).textContent = parts
      .filter(part => part !== '')
      .join(' · ')
      .replaceAll('x', ' × ')
  }

  #clearProblems(): void {
    setText(find('problem', HTMLElement), undefined)
    for (const control of document.querySelectorAll('[aria-describedby=problem]')) {
      control.removeAttribute('aria-invalid')
      control.removeAttribute('aria-describedby')
    }
  }
}
