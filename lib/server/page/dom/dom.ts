/** The element with this id, which the page has. */
export function find<T extends Element>(id: string, type: { new (): T }): T {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} with the id ${id}`)
  return element
}

/** An element with properties and children; nothing is ever made from a string of HTML. */
export function create<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<Omit<HTMLElementTagNameMap[Tag], 'children'>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export function createButton(text: string, label: string, act: () => void): HTMLButtonElement {
  const button = create('button', { type: 'button', className: 'small quiet' }, text)
  button.setAttribute('aria-label', label)
  // The second half of a double click means the same press: what has moved under the pointer meanwhile is not meant.
  button.addEventListener('click', ({ detail }) => {
    if (detail < 2) act()
  })
  return button
}

/** Shows a text where there is one. */
export function setText(element: HTMLElement, text: string | undefined): void {
  element.hidden = text === undefined
  if (element.textContent !== (text ?? '')) element.textContent = text ?? ''
}
