import { storedKey } from '../api/key.js'
import { announce } from '../dom/announce.js'
import { find } from '../dom/dom.js'
import type { Ask } from '../runs/ask.js'
import { requestOf } from '../runs/request.js'
import type { Picture, Run } from '../runs/run.js'

/** Shows a dialog with the command that makes this picture again. */
export function showCommand(run: Run, { seed }: Picture): void {
  const dialog = find('command', HTMLDialogElement)
  const text = find('command-text', HTMLTextAreaElement)
  const copy = find('command-copy', HTMLButtonElement)
  text.value = commandOf({ ...run.ask, seed, count: 1 }, document.baseURI, storedKey() !== null)
  text.rows = Math.min(12, text.value.split('\n').length + 1)
  copy.onclick = () => {
    text.select()
    // Only pages that came over HTTPS or from this machine may write to the clipboard themselves.
    const copied = navigator.clipboard === undefined ? Promise.reject(new Error()) : navigator.clipboard.writeText(text.value)
    copied.then(
      () => announce('The command is copied'),
      () => announce('The command is selected. Copy it with the keyboard')
    )
    copied.then(
      () => {
        copy.textContent = 'Copied'
      },
      () => {
        copy.textContent = 'Selected'
      }
    )
  }
  copy.textContent = 'Copy'
  find('command-close', HTMLButtonElement).onclick = () => dialog.close()
  dialog.showModal()
  text.scrollTop = 0
  copy.focus()
}

/** The request as a command for curl in a POSIX shell. Files are named, and the key stays out of it. */
function commandOf(ask: Ask, base: string, withKey: boolean): string {
  const { endpoint, body } = requestOf(ask)
  const fields = Object.entries(body).filter(([, value]) => value !== undefined)
  const words = [`curl -sS ${quote(new URL(endpoint.slice(1), base).href)}`, `-H 'Accept: image/png'`]
  if (withKey) words.push('-H "Authorization: Bearer $WUERSTCHEN_API_KEY"')
  const { start } = ask
  if (start === undefined) {
    words.push(`-H 'Content-Type: application/json'`, `-d ${quote(JSON.stringify(Object.fromEntries(fields)))}`)
  } else {
    const mask = start.mode === 'edit' && start.mask !== undefined
    const files = [
      ['image', '@picture.png'],
      ...(mask
        ? [
            ['mask', '@mask.png'],
            ['mask_changes', 'white']
          ]
        : [])
    ]
    for (const [name, value] of files) words.push(`-F ${quote(`${name}=${value}`)}`)
    // A text that begins with @ or < would be the name of a file.
    for (const [name, value] of fields) words.push(`--form-string ${quote(`${name}=${String(value)}`)}`)
  }
  words.push('--output picture-made.png')
  return words.join(' \\\n  ')
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
