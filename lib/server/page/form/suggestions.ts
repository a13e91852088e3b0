import { create, find } from '../dom/dom.js'

const SUGGESTIONS = ['a red heart', 'a cat on a blue background', 'a yellow star', 'a green apple', 'a birthday cake']

/** Prompts to begin with. */
export function addSuggestions(use: (prompt: string) => void): void {
  find('suggestions', HTMLElement).append(
    ...SUGGESTIONS.map(text => {
      const button = create('button', { type: 'button' }, text)
      button.addEventListener('click', () => use(text))
      return create('li', {}, button)
    })
  )
}
