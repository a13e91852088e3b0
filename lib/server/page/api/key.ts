import { find } from '../dom/dom.js'
import { scoped } from '../dom/scope.js'
import { wake } from './wake.js'

const STORED = scoped('wuerstchen-api-key')

/** The API key of this tab: never in an address, gone with the tab. */
export function storedKey(): string | null {
  return sessionStorage.getItem(STORED)
}

let asking: Promise<boolean> | undefined
let refused = false

/** Whether somebody closed the dialog without a key: then it does not open by itself again. */
export function declined(): boolean {
  return refused
}

/** Asks for a key once, however many requests need one. False: it was not given. */
export function askForKey(): Promise<boolean> {
  asking ??= ask().finally(() => {
    asking = undefined
  })
  return asking
}

async function ask(): Promise<boolean> {
  const dialog = find('key', HTMLDialogElement)
  const input = find('key-value', HTMLInputElement)
  const form = find('key-form', HTMLFormElement)
  const problem = find('key-problem', HTMLElement)
  problem.hidden = storedKey() === null
  input.value = ''
  return new Promise(resolve => {
    const done = new AbortController()
    const { signal } = done
    form.addEventListener(
      'submit',
      event => {
        event.preventDefault()
        const key = input.value.trim()
        if (key === '') return input.focus()
        sessionStorage.setItem(STORED, key)
        dialog.close('given')
      },
      { signal }
    )
    find('key-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close(''), { signal })
    dialog.addEventListener(
      'close',
      () => {
        done.abort()
        refused = dialog.returnValue !== 'given'
        resolve(!refused)
        wake()
      },
      { signal }
    )
    dialog.returnValue = ''
    // One dialog at a time; what is painted in another would be lost if that were closed.
    dialog.showModal()
    input.focus()
  })
}
