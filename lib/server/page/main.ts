import { askForKey } from './api/key.js'
import { connect } from './connection.js'
import { announce } from './dom/announce.js'
import { confirmed } from './dom/confirm.js'
import { find } from './dom/dom.js'
import { Drafts } from './form/draft.js'
import { Form } from './form/form.js'
import { NO_PICTURES, takePictures } from './form/intake.js'
import { StartPicture } from './form/start-picture.js'
import { addSuggestions } from './form/suggestions.js'
import { addHelp } from './help.js'
import { MaskEditor } from './mask/mask-editor.js'
import { baseName, fileName } from './results/describe.js'
import { Gallery } from './results/gallery.js'
import { showKept } from './results/kept.js'
import { QueueLine } from './results/queue-line.js'
import { saveAll } from './results/save-all.js'
import { Viewer } from './results/viewer.js'
import type { Mode } from './runs/ask.js'
import { Estimates } from './runs/estimate.js'
import type { Picture, Run } from './runs/run.js'
import { Runs } from './runs/runs.js'

const start = new StartPicture(new MaskEditor(), () => form.showMode())
const form: Form = new Form(start)
const lines = find('lines', HTMLInputElement)
const drafts = new Drafts(() => ({ ask: form.current, lines: lines.checked }))

const actions = {
  reuse(run: Run, { seed }: Picture) {
    form.write({ ...run.ask, seed, count: 1 })
    find('generate', HTMLButtonElement).focus()
    announce(`The settings of seed ${seed} are in the form`)
  },
  vary: (run: Run, picture: Picture) => startFrom(run, picture, 'vary'),
  edit: (run: Run, picture: Picture) => startFrom(run, picture, 'edit'),
  mix: (run: Run, picture: Picture) => startFrom(run, picture, 'mix')
}
const viewer = new Viewer(actions)
const gallery = new Gallery({
  ...actions,
  open: (run, index) => viewer.open(run, index),
  leftOf: run => estimates.leftOf(run),
  cancel: run => {
    void runs.cancel(run)
  },
  runAgain: run => {
    runs.start([{ ...run.ask, seed: undefined }])
  },
  remove: run => {
    void runs.remove(run)
  },
  saveAll: run => {
    void saveAll([run], baseName(run))
  }
})
const runs: Runs = new Runs({
  changed: run => {
    gallery.show(run)
    showState()
  },
  removed: run => {
    gallery.remove(run)
    showState()
  },
  refused: error => form.showRefusal(error),
  modelOf: name => form.modelOf(name)
})
const estimates = new Estimates(
  () => runs.all,
  name => form.modelOf(name)
)
const queue = new QueueLine(
  () => runs.all,
  estimates,
  () => {
    void runs.cancelAll()
  }
)

function showState(): void {
  queue.update()
  showKept(runs.all, runs.keeps)
}

function startFrom(run: Run, picture: Picture, mode: Mode): void {
  if (form.model?.reads_images !== true) return form.complain(undefined, NO_PICTURES)
  const { file } = picture
  const name = fileName(run, picture)
  if (mode === 'mix' && start.wantsSecond) start.setSecond(file, name)
  else start.set({ mode, file, name, strength: undefined, mask: undefined })
  find('seed', HTMLInputElement).value = ''
  const prompt = find('prompt', HTMLTextAreaElement)
  if (mode !== 'mix') prompt.value = run.ask.prompt
  drafts.changed()
  if (mode === 'edit') void start.drawMask().then(() => prompt.focus())
  else find(start.wantsSecond ? 'choose-second' : 'generate', HTMLButtonElement).focus()
}

function generate(): void {
  if (document.querySelector('dialog[open]') !== null || find('generate', HTMLButtonElement).disabled) return
  const asks = form.read()
  if (asks === undefined || !runs.start(asks)) return
  form.fold()
  const newest = find('runs', HTMLElement).firstElementChild!
  if (newest.getBoundingClientRect().top > innerHeight * 0.6) newest.scrollIntoView({ block: 'start' })
}

form.element.addEventListener('submit', event => {
  event.preventDefault()
  generate()
})
for (const name of ['input', 'change', 'click']) form.element.addEventListener(name, () => drafts.changed())
find('model', HTMLSelectElement).addEventListener('change', () => drafts.changed())
addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    if (!event.repeat) generate()
  }
  // In a dialog it closes that.
  if (event.key === 'Escape' && document.querySelector('dialog[open]') === null && runs.cancelLast()) event.preventDefault()
})
takePictures(form, start, () => drafts.changed())
find('save-everything', HTMLButtonElement).addEventListener('click', () => {
  void saveAll(runs.all, 'pictures')
})
find('clear', HTMLButtonElement).addEventListener('click', () => {
  void clearHistory()
})
find('open-key', HTMLButtonElement).addEventListener('click', () => {
  void askForKey()
})
addSuggestions(prompt => {
  find('prompt', HTMLTextAreaElement).value = prompt
  drafts.changed()
  generate()
})
addHelp(() => form.model)

async function clearHistory(): Promise<void> {
  const pictures = runs.all.flatMap(({ slots }) => slots).filter(({ picture }) => picture !== undefined).length
  const detail = `${pictures === 1 ? 'One picture' : `${pictures} pictures`}, and what was asked for, go from this browser. What runs is cancelled.`
  if (!(await confirmed('Clear the history?', detail, 'Clear'))) return
  await drafts.clear()
  await runs.clear()
}

/** What cannot be chosen before the models are known is put back once they are. */
async function restoreForm(): Promise<void> {
  const draft = await drafts.load()
  if (draft !== undefined) {
    lines.checked = draft.lines
    form.write(draft.ask)
  }
  const connected = connect(form)
  await form.ready
  if (draft !== undefined) {
    const { model, size, preset, priorSampler, decoderSampler } = draft.ask
    form.write({ ...form.current, model, size, preset, priorSampler, decoderSampler })
  }
  await connected
}

find('prompt', HTMLTextAreaElement).focus()
find('empty', HTMLElement).hidden = false
await Promise.all([runs.restore(), restoreForm()])
