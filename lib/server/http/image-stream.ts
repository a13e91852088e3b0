import { fileFacts, madeFacts, seconds } from '../api/replies.js'
import type { Submitted } from '../jobs/store.js'
import type { JobImage, WorkEvent } from '../jobs/work.js'
import type { ServerEvent } from './sse.js'

/** Beginnings of the names of events: OpenAI's, and one of our own in their manner. */
export type StreamName = 'image_generation' | 'image_edit' | 'image_variation'

/** Previews and pictures in the order in which they are there. A failure ends it with an error. */
export async function* imageEvents(
  { events, result }: Submitted,
  name: StreamName,
  signal: AbortSignal
): AsyncGenerator<ServerEvent, void, undefined> {
  const sent = new Set<number>()
  for await (const event of events(signal)) {
    if (event.type === 'preview') yield partial(name, event)
    if (event.type === 'image') {
      sent.add(event.image)
      yield completed(name, event.image, event.result)
    }
  }
  const finished = await result()
  if (finished.kind !== 'images') return
  // What was finished before anybody listened.
  for (const [index, image] of finished.images.entries()) if (!sent.has(index)) yield completed(name, index, image)
}

function partial(name: StreamName, event: Extract<WorkEvent, { type: 'preview' }>): ServerEvent {
  const type = `${name}.partial_image`
  return {
    event: type,
    data: { type, b64_json: event.file.toString('base64'), partial_image_index: event.index, ...about(event, event.image) }
  }
}

function completed(name: StreamName, index: number, image: JobImage): ServerEvent {
  const type = `${name}.completed`
  return { event: type, data: { type, ...madeFacts(image), ...about(image, index) } }
}

function about(image: Parameters<typeof fileFacts>[0], index: number) {
  return { created_at: seconds(), ...fileFacts(image), quality: 'auto', image_index: index }
}
