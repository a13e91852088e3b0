import { jobReply } from '../api/jobs.js'
import type { JobView } from '../jobs/store.js'

/** What is sent to whoever wants to hear how a job ended. */
export interface Message {
  id: string
  job: string
  url: URL
  body: string
  /** How often it has been tried, this time too. */
  attempts: number
}

/** One end of a job has one id, whoever sends it: the receiver can tell repeats by it. A job that is sent again can end twice. */
export function messageOf(view: JobView): Message {
  const type = `job.${view.state}`
  const body = JSON.stringify({ type, timestamp: new Date(view.endedAt!).toISOString(), data: jobReply(view) })
  return { id: `msg_${view.id}_${view.state}_${view.endedAt}`, job: view.id, url: new URL(view.webhookUrl!), body, attempts: 0 }
}

/** Without the rest of the address, which may have a secret of its receiver. */
export function factsOf({ id, job, url, attempts }: Message): object {
  return { webhook: id, job, host: url.host, attempts }
}
