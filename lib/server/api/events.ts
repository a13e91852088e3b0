import type { JobEvent, Submitted } from '../jobs/store.js'
import type { JobImage, ReplyTerms, WorkEvent } from '../jobs/work.js'
import { jobReply } from './jobs.js'
import { base64, fileFacts, madeFacts, replyFacts, seconds } from './replies.js'
import { resultOf } from './statuses.js'

/** What streams are made of: server-sent events, whatever sends them. */
export interface ServerEvent {
  event: string
  data: object
  id?: number
}

/** Beginnings of the names of events: OpenAI's, and one of our own in their manner. */
export type StreamName = 'image_generation' | 'image_edit' | 'image_variation'

/** Previews and images in the order in which they are there. A failure ends it with an error. */
export async function* imageEvents(
  { view, events, outcome }: Submitted,
  name: StreamName,
  signal: AbortSignal
): AsyncGenerator<ServerEvent, void, undefined> {
  const sent = new Set<number>()
  for await (const event of events(signal)) {
    if (event.type === 'preview') yield partial(name, event, view.reply)
    if (event.type === 'image') {
      sent.add(event.image)
      yield completed(name, event.image, event.result, view.reply)
    }
  }
  const finished = resultOf(await outcome())
  if (finished.kind !== 'images') return
  // What was finished before anybody listened.
  for (const [index, image] of finished.images.entries()) if (!sent.has(index)) yield completed(name, index, image, view.reply)
}

function partial(name: StreamName, event: Extract<WorkEvent, { type: 'preview' }>, { quality }: ReplyTerms): ServerEvent {
  const type = `${name}.partial_image`
  return {
    event: type,
    data: { type, b64_json: base64(event.file), partial_image_index: event.index, ...about(event, event.image), quality }
  }
}

function completed(name: StreamName, index: number, image: JobImage, reply: ReplyTerms): ServerEvent {
  const type = `${name}.completed`
  return {
    event: type,
    data: { type, b64_json: base64(image.file), ...madeFacts(image), ...about(image, index), ...replyFacts(reply) }
  }
}

function about(image: Parameters<typeof fileFacts>[0], index: number) {
  return { created_at: seconds(), ...fileFacts(image), image_index: index }
}

/** What happens to a job. The job as it is comes first, so that whoever connects again has missed nothing that lasts. */
export async function* jobEvents(events: AsyncIterable<JobEvent>): AsyncGenerator<ServerEvent, void, undefined> {
  let id = 0
  for await (const event of events) yield { id: id++, ...ofJob(event) }
}

function ofJob(event: JobEvent): ServerEvent {
  switch (event.type) {
    case 'view':
      return { event: 'job.status', data: jobReply(event.view) }
    case 'step':
      return {
        event: 'job.progress',
        data: { image_index: event.image, stage: event.stage, step: event.step, steps: event.steps }
      }
    case 'preview':
      return {
        event: 'job.partial_image',
        data: {
          image_index: event.image,
          partial_image_index: event.index,
          b64_json: base64(event.file),
          ...fileFacts(event)
        }
      }
    case 'image':
      return {
        event: 'job.image',
        data: {
          image_index: event.image,
          b64_json: base64(event.result.file),
          ...madeFacts(event.result),
          ...fileFacts(event.result)
        }
      }
  }
}
