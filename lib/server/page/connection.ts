import { askForKey, declined, storedKey } from './api/key.js'
import { loadLimits, loadModels, type Model } from './api/models.js'
import { Refusal, Unreachable } from './api/send.js'
import { pause, waitAfter } from './api/wake.js'
import { create, find, setText } from './dom/dom.js'
import type { Form } from './form/form.js'

const NO_KEY = 'It needs the API key of this server.'
const LOCAL_ONLY =
  'This server has no API keys and serves only its own machine, at localhost or 127.0.0.1. Open the page there, or ask whoever runs it to add keys.'

/** Asks the server what it has until it answers, and says meanwhile why nothing can be asked for. */
export async function connect(form: Form): Promise<void> {
  const notice = find('notice', HTMLElement)
  for (let failures = 0; ; failures++) {
    try {
      const [models, limits] = await Promise.all([loadModels(), loadLimits()])
      form.setUp(models, limits)
      find('open-key', HTMLButtonElement).hidden = storedKey() === null
      return await showLoading(notice, models)
    } catch (error) {
      setText(notice, undefined)
      if (error instanceof Refusal && error.wantsKey) await waitForKey(form, notice)
      else if (error instanceof Unreachable) {
        form.setReady('It waits for the server.')
        setText(notice, 'The server cannot be reached. The page keeps trying.')
        await pause(waitAfter(failures))
      } else {
        form.setReady('The server does not take requests from here.')
        return explain(notice, error)
      }
    }
  }
}

/** A key that was not given can still be given later. */
async function waitForKey(form: Form, notice: HTMLElement): Promise<void> {
  form.setReady(NO_KEY)
  find('open-key', HTMLButtonElement).hidden = false
  setText(notice, 'Nothing can be drawn without the API key of this server.')
  const button = create('button', { type: 'button', className: 'small' }, 'Enter the key')
  notice.append(' ', button)
  button.addEventListener('click', () => {
    void askForKey()
  })
  while (declined()) await pause(60_000)
}

function explain(notice: HTMLElement, error: unknown): void {
  const local = error instanceof Refusal && error.code === 'no_api_keys'
  setText(notice, local ? LOCAL_ONLY : error instanceof Error ? error.message : String(error))
  const retry = create('button', { type: 'button', className: 'small' }, 'Try again')
  retry.addEventListener('click', () => location.reload())
  notice.append(' ', retry)
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
    await pause(1000)
    // What cannot be asked now is asked again.
    models = await loadModels().catch(() => models)
  }
  setText(notice, of('failed') === '' ? undefined : `${of('failed')} could not be loaded. The server’s log says why.`)
}
