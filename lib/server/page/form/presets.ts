import type { Model, PresetName } from '../api/models.js'
import { create, find } from '../dom/dom.js'

/** Their names in the form, in its order. */
const LABELS: Record<PresetName, string> = { reference: 'Standard', balanced: 'Faster', fast: 'Fastest' }

/** The choice between the presets of a model. */
export class Presets {
  readonly element = find('preset', HTMLSelectElement)

  /** undefined for the reference, which needs no name. */
  get value(): PresetName | undefined {
    const { value } = this.element
    return value === 'balanced' || value === 'fast' ? value : undefined
  }

  /** A preset that the model does not have is left out. */
  set value(preset: PresetName | undefined) {
    this.element.value = preset ?? 'reference'
    if (this.element.selectedIndex < 0) this.element.value = 'reference'
  }

  /** Offers what the model has. */
  show({ presets }: Model): void {
    const { value } = this
    const names = (Object.keys(LABELS) as PresetName[]).filter(name => presets[name] !== undefined)
    this.element.replaceChildren(...names.map(name => create('option', { value: name }, LABELS[name])))
    find('preset-row', HTMLElement).hidden = names.length < 2
    this.value = value
  }
}
