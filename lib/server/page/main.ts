import { announce } from './announce.js'
import { storedKey, askForKey } from './key.js'
import type { Ask } from './ask.js'
import { Composer } from './composer.js'
import { fileName } from './describe.js'
import { create, find, setText } from './dom.js'
import { Gallery } from './gallery.js'
import { MaskEditor } from './mask-editor.js'
import { loadLimits, loadModels, type Model } from './models.js'
import { receivePictures } from './receive-pictures.js'
import type { Picture, Run } from './run.js'
import { Runs } from './runs.js'
import { StartPicture } from './start-picture.js'
import { Viewer } from './viewer.js'

const SUGGESTIONS = ['a red heart', 'a cat on a blue background', 'a yellow star', 'a green apple', 'a birthday cake']

const start = new StartPicture(new MaskEditor(), () => composer.showMode())
const composer: Composer = new Composer(start)
const actions = {
  again(run: Run, { seed }: Picture) {
    composer.write({ ...run.ask, seed, count: 1 })
    find('generate', HTMLButtonElement).focus()
    announce(`The settings of seed ${seed} are in the form`)
  },
  vary: (run: Run, picture: Picture) => startFrom(run, picture, 'vary'),
  edit: (run: Run, picture: Picture) => startFrom(run, picture, 'edit')
}
const viewer = new Viewer(actions)
const gallery = new Gallery({
  ...actions,
  open: (run, index) => viewer.open(run, index),
  cancel: run => {
    void runs.cancel(run)
  },
  repeat: run => {
    void runs.start({ ...run.ask, seed: undefined })
  },
  remove: run => {
    void runs.remove(run)
  }
})
const runs: Runs = new Runs({
  changed: run => gallery.show(run),
  removed: run => gallery.remove(run),
  refused: error => composer.showRefusal(error)
})

function startFrom(run: Run, picture: Picture, mode: 'vary' | 'edit'): void {
  if (composer.model?.reads_images !== true)
    return setText(find('problem', HTMLElement), 'This model cannot start from pictures.')
  start.set({ mode, file: picture.file, name: fileName(run, picture), strength: undefined, mask: undefined })
  find('seed', HTMLInputElement).value = ''
  const prompt = find('prompt', HTMLTextAreaElement)
  prompt.value = run.ask.prompt
  if (mode === 'edit') void start.drawMask().then(() => prompt.focus())
  else find('generate', HTMLButtonElement).focus()
}

function generate(): void {
  if (document.querySelector('dialog[open]') !== null || find('generate', HTMLButtonElement).disabled) return
  const ask: Ask | undefined = composer.read()
  if (ask === undefined) return
  void runs.start(ask)
  // Where the form is above the results, these are out of sight.
  if (matchMedia('(max-width: 859px)').matches) find('runs', HTMLElement).firstElementChild?.scrollIntoView({ block: 'nearest' })
}

composer.form.addEventListener('submit', event => {
  event.preventDefault()
  generate()
})
addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    generate()
  }
  // In a dialog it closes that.
  if (event.key === 'Escape' && document.querySelector('dialog[open]') === null && runs.cancelLast()) event.preventDefault()
})
receivePictures(
  file => {
    if (composer.model?.reads_images !== true)
      return setText(find('problem', HTMLElement), 'This model cannot start from pictures.')
    start.set({ mode: 'vary', file, name: file.name, strength: undefined, mask: undefined })
    find('generate', HTMLButtonElement).focus()
    announce(`${file.name} will be varied`)
  },
  message => setText(find('problem', HTMLElement), message)
)
find('clear', HTMLButtonElement).addEventListener('click', () => {
  void runs.clear()
})
find('open-key', HTMLButtonElement).addEventListener('click', () => {
  void askForKey()
})
find('suggestions', HTMLElement).append(
  ...SUGGESTIONS.map(text => {
    const button = create('button', { type: 'button' }, text)
    button.addEventListener('click', () => {
      find('prompt', HTMLTextAreaElement).value = text
      generate()
    })
    return create('li', {}, button)
  })
)

async function connect(): Promise<void> {
  const notice = find('notice', HTMLElement)
  setText(notice, undefined)
  try {
    const [models, limits] = await Promise.all([loadModels(), loadLimits()])
    composer.setUp(models, limits)
    find('open-key', HTMLButtonElement).hidden = storedKey() === null
    await showLoading(notice, models)
  } catch (error) {
    setText(notice, error instanceof Error ? error.message : String(error))
    const retry = create('button', { type: 'button', className: 'small' }, 'Try again')
    retry.addEventListener('click', () => {
      void connect()
    })
    notice.append(' ', retry)
  }
}

/** Says so while models are being loaded: a first picture would wait for that. */
async function showLoading(notice: HTMLElement, models: Model[]): Promise<void> {
  const of = (wanted: Model['state']) =>
    models
      .filter(({ state }) => state === wanted)
      .map(({ id }) => id)
      .join(', ')
  while (of('loading') !== '') {
    setText(notice, `${of('loading')} is being loaded. A picture asked for now waits for that.`)
    await new Promise(resolve => setTimeout(resolve, 1000))
    models = await loadModels()
  }
  setText(notice, of('failed') === '' ? undefined : `${of('failed')} could not be loaded. The server’s log says why.`)
}

find('prompt', HTMLTextAreaElement).focus()
find('empty', HTMLElement).hidden = false
await Promise.all([runs.restore(), connect()])
