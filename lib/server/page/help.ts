import type { Model } from './api/models.js'
import { create, find } from './dom/dom.js'

/** The dialog that explains the page, and says what the model is. */
export function addHelp(model: () => Model | undefined): void {
  const dialog = find('help', HTMLDialogElement)
  find('open-help', HTMLButtonElement).addEventListener('click', () => {
    find('model-facts', HTMLElement).replaceChildren(
      ...factsOf(model()).flatMap(([name, value]) => [create('dt', {}, name), create('dd', {}, value)])
    )
    dialog.showModal()
    find('help-close', HTMLButtonElement).focus()
  })
  find('help-close', HTMLButtonElement).addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', event => {
    if (event.target === dialog) dialog.close()
  })
}

function factsOf(model: Model | undefined): [string, string][] {
  if (model === undefined) return [['Name', 'not known yet']]
  return [
    ['Name', model.id],
    ['Licence', model.license],
    ['Own size', model.default_size.replace('x', ' × ')],
    ['Own steps', `${model.default_prior_steps} for the composition, ${model.default_decoder_steps} for the detail`],
    ['SHA-256', `${model.hash.slice(0, 16)}…`]
  ]
}
