import type { GenerateResult, StreamEvent } from './results.js'

/** How `streamOf` starts the work it streams. */
export type StartStream = (signal: AbortSignal, push: (event: StreamEvent) => void) => Promise<GenerateResult>

/** The events of a run, in order. Leaving the loop, by `break` or an error, cancels the run. */
export async function* streamOf(
  start: StartStream,
  outer: AbortSignal | undefined
): AsyncGenerator<StreamEvent, void, undefined> {
  const left = new AbortController()
  const signal = outer === undefined ? left.signal : AbortSignal.any([outer, left.signal])
  const waiting: StreamEvent[] = []
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
    while (running || waiting.length > 0) {
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
