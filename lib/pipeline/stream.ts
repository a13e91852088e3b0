import type { GenerateResult, StreamEvent } from './results.js'

/** How `streamOf` starts the work it streams. */
export type StartStream = (signal: AbortSignal, push: (event: StreamEvent) => void) => Promise<GenerateResult>

/** The most steps that wait for the reader, and the most previews, which have pixels. Images are never dropped. */
export const MOST_WAITING = { step: 256, preview: 16 } as const

/**
 * The events of a run, in order. Leaving the loop, by `break` or an error, cancels the run. The engine does not wait for the
 * reader: see `Waiting`.
 */
export async function* streamOf(
  start: StartStream,
  outer: AbortSignal | undefined
): AsyncGenerator<StreamEvent, void, undefined> {
  const left = new AbortController()
  const signal = outer === undefined ? left.signal : AbortSignal.any([outer, left.signal])
  const waiting = new Waiting()
  let wake = () => {}
  let running = true
  const done = start(signal, event => {
    waiting.push(event)
    wake()
  }).finally(() => {
    running = false
    wake()
  })
  // The promise is awaited below. This keeps a failure from counting as unhandled while the consumer is busy.
  done.catch(() => {})
  try {
    while (running || waiting.size > 0) {
      const event = waiting.shift()
      if (event !== undefined) yield event
      else
        await new Promise<void>(resolve => {
          wake = resolve
        })
    }
    yield { type: 'done', ...(await done) }
  } finally {
    left.abort(new DOMException('The stream was left', 'AbortError'))
  }
}

/**
 * The events that nobody has read yet. A reader may be slow or stop reading, and the run goes on. Therefore, when `MOST_WAITING`
 * steps or previews wait, the newest one of the same image gives way to the one that comes. The last of each image is never lost.
 */
export class Waiting {
  /** In the order in which they came. */
  readonly #events = new Set<StreamEvent>()
  readonly #newest = { step: new Map<number, StreamEvent>(), preview: new Map<number, StreamEvent>() }
  readonly #counts = { step: 0, preview: 0 }

  get size(): number {
    return this.#events.size
  }

  push(event: StreamEvent): void {
    const kind = kindOf(event)
    if (kind !== undefined) {
      const [image, newest] = [imageOf(event), this.#newest[kind]]
      const older = newest.get(image)
      if (older !== undefined && this.#counts[kind] >= MOST_WAITING[kind]) this.#remove(older)
      newest.set(image, event)
      this.#counts[kind]++
    }
    this.#events.add(event)
  }

  shift(): StreamEvent | undefined {
    const [event] = this.#events
    if (event !== undefined) this.#remove(event)
    return event
  }

  #remove(event: StreamEvent): void {
    this.#events.delete(event)
    const kind = kindOf(event)
    if (kind === undefined) return
    this.#counts[kind]--
    if (this.#newest[kind].get(imageOf(event)) === event) this.#newest[kind].delete(imageOf(event))
  }
}

function kindOf({ type }: StreamEvent): 'step' | 'preview' | undefined {
  return type === 'step' || type === 'preview' ? type : undefined
}

function imageOf(event: StreamEvent): number {
  return event.type === 'step' ? event.image : event.type === 'preview' ? event.index : -1
}
