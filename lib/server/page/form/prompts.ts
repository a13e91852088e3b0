import { find } from '../dom/dom.js'

/** The most prompts that one press starts. */
const MOST_PROMPTS = 100

/** The prompt: one, or where somebody says so one on each line. */
export class Prompts {
  readonly #text = find('prompt', HTMLTextAreaElement)
  readonly #row = find('lines-row', HTMLElement)
  readonly #box = find('lines', HTMLInputElement)

  constructor() {
    for (const element of [this.#text, this.#box]) element.addEventListener('input', () => this.show())
  }

  get value(): string[] {
    const lines = this.#lines
    return this.#box.checked && lines.length > 1 ? lines : [this.#text.value.trim()]
  }

  /** What is wrong with them. */
  get problem(): string | undefined {
    const { length } = this.value
    return length > MOST_PROMPTS ? `Expected at most ${MOST_PROMPTS} prompts at once but received ${length}.` : undefined
  }

  show(): void {
    const { length } = this.#lines
    this.#row.hidden = length < 2
    find('lines-label', HTMLElement).textContent = `Each line is a prompt of its own (${length} prompts)`
  }

  get #lines(): string[] {
    return this.#text.value
      .split('\n')
      .map(line => line.trim())
      .filter(line => line !== '')
  }
}
