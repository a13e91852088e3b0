import { announce } from '../dom/announce.js'
import { find } from '../dom/dom.js'
import type { Form } from './form.js'
import { receivePictures } from './receive-pictures.js'
import { readRecorded } from './recorded.js'
import type { StartPicture } from './start-picture.js'

export const NO_PICTURES = 'This model cannot start from pictures.'

/** Puts pictures that come from outside into the form: to start from, or as the second one of a mix. */
export function takePictures(form: Form, start: StartPicture, taken: () => void): void {
  const receive = async (file: Blob, name: string, asSecond: boolean) => {
    // The file may say how it was made.
    const recorded = await readRecorded(file)
    const { model } = form
    if (model === undefined) return form.complain(undefined, 'The server has not answered yet.')
    const use = () => {
      if (recorded !== undefined) form.write({ ...recorded, model: model.id, start: undefined })
      announce(`The settings of ${name} are in the form`)
      find('generate', HTMLButtonElement).focus()
    }
    if (!model.reads_images) return recorded === undefined ? form.complain(undefined, NO_PICTURES) : use()
    if (asSecond || start.wantsSecond) start.setSecond(file, name)
    else {
      start.set({ mode: start.value?.mode ?? 'vary', file, name, strength: undefined, mask: undefined })
      start.offer(recorded === undefined ? undefined : use)
    }
    taken()
    find('generate', HTMLButtonElement).focus()
    announce(`${name} is in the form${recorded === undefined ? '' : '. Its file has settings to use'}`)
  }
  receivePictures(
    (file, name, asSecond) => {
      void receive(file, name, asSecond)
    },
    message => form.complain(undefined, message)
  )
}
