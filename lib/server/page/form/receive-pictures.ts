import { find } from '../dom/dom.js'

const TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/avif']

export type Take = (file: Blob, name: string, asSecond: boolean) => void

/** Takes pictures that are dropped anywhere, pasted, or chosen. */
export function receivePictures(take: Take, refuse: (message: string) => void): void {
  const veil = find('drop', HTMLElement)
  const input = find('file', HTMLInputElement)
  let asSecond = false
  const receive = async (files: FileList | null | undefined, second = false) => {
    const file = files?.[0]
    if (file === undefined) return
    if (!TYPES.includes(file.type)) return refuse(`Expected a PNG, JPEG, WebP or AVIF picture but received ${file.name}.`)
    try {
      // A copy: what is on the disk may be another file by the time that it is sent.
      take(new Blob([await file.arrayBuffer()], { type: file.type }), file.name, second)
    } catch {
      refuse(`${file.name} cannot be read.`)
    }
  }
  const brings = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true
  const inDialog = () => document.querySelector('dialog[open]') !== null

  addEventListener('dragover', event => {
    if (!brings(event)) return
    event.preventDefault()
    veil.hidden = inDialog()
  })
  addEventListener('dragleave', event => {
    if (event.relatedTarget === null) veil.hidden = true
  })
  addEventListener('drop', event => {
    veil.hidden = true
    if (!brings(event)) return
    event.preventDefault()
    if (!inDialog()) void receive(event.dataTransfer?.files)
  })
  addEventListener('paste', event => {
    if (!inDialog()) void receive(event.clipboardData?.files)
  })
  for (const [id, second] of [
    ['add-picture', false],
    ['choose-second', true]
  ] as const) {
    find(id, HTMLButtonElement).addEventListener('click', () => {
      asSecond = second
      input.click()
    })
  }
  input.addEventListener('change', () => {
    void receive(input.files, asSecond)
    input.value = ''
  })
}
