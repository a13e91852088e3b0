import { find } from './dom.js'

const TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/avif']

/** Takes pictures that are dropped anywhere, pasted, or chosen. */
export function receivePictures(take: (file: File) => void, refuse: (message: string) => void): void {
  const veil = find('drop', HTMLElement)
  const input = find('file', HTMLInputElement)
  const receive = (files: FileList | null | undefined) => {
    const file = files?.[0]
    if (file === undefined) return
    if (TYPES.includes(file.type)) take(file)
    else refuse(`Expected a PNG, JPEG, WebP or AVIF picture but received ${file.name}.`)
  }
  const brings = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true

  addEventListener('dragover', event => {
    if (!brings(event)) return
    event.preventDefault()
    veil.hidden = document.querySelector('dialog[open]') !== null
  })
  addEventListener('dragleave', event => {
    if (event.relatedTarget === null) veil.hidden = true
  })
  addEventListener('drop', event => {
    veil.hidden = true
    if (!brings(event)) return
    event.preventDefault()
    if (document.querySelector('dialog[open]') === null) receive(event.dataTransfer?.files)
  })
  addEventListener('paste', event => receive(event.clipboardData?.files))
  find('add-picture', HTMLButtonElement).addEventListener('click', () => input.click())
  input.addEventListener('change', () => {
    receive(input.files)
    input.value = ''
  })
}
