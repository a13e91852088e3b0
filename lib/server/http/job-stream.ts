import { jobReply } from '../api/jobs.js'
import { fileFacts, madeFacts } from '../api/replies.js'
import type { JobEvent } from '../jobs/store.js'
import type { ServerEvent } from './sse.js'

/** What happens to a job as events. The job as it is comes first, so that whoever connects again has missed nothing that lasts. */
export async function* jobEvents(events: AsyncIterable<JobEvent>): AsyncGenerator<ServerEvent, void, undefined> {
  let id = 0
  for await (const event of events) yield { id: id++, ...toServerEvent(event) }
}

function toServerEvent(event: JobEvent): ServerEvent {
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
          b64_json: event.file.toString('base64'),
          ...fileFacts(event)
        }
      }
    case 'image':
      return { event: 'job.image', data: { image_index: event.image, ...madeFacts(event.result), ...fileFacts(event.result) } }
  }
}
