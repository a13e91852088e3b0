import { find } from './dom.js'

/** Asks before something is lost. */
export async function confirmed(question: string, detail: string, action: string): Promise<boolean> {
  const dialog = find('confirm', HTMLDialogElement)
  find('confirm-title', HTMLElement).textContent = question
  find('confirm-detail', HTMLElement).textContent = detail
  const yes = find('confirm-yes', HTMLButtonElement)
  yes.textContent = action
  const no = find('confirm-no', HTMLButtonElement)
  yes.onclick = () => dialog.close('yes')
  no.onclick = () => dialog.close('')
  dialog.returnValue = ''
  dialog.showModal()
  no.focus()
  await new Promise(resolve => dialog.addEventListener('close', resolve, { once: true }))
  return dialog.returnValue === 'yes'
}
