import { fromBase64 } from '../api/base64.js'
import type { StreamEvent } from '../api/event-stream.js'
import { sendForJson, sentence } from '../api/send.js'
import type { Request } from './request.js'
import type { Parameters, Run, RunState } from './run.js'

export interface JobReply {
  id: string
  status: Exclude<RunState, 'sending'>
  queue_position: number | null
  error: { message: string } | null
}
interface Progress {
  image_index: number
  stage: 'prior' | 'decoder' | 'vqDecoder'
  step: number
  steps: number
}
interface File {
  b64_json: string
  output_format: string
}
interface Made extends File {
  seed: number
  parameters: Parameters
}
interface Result {
  data: Omit<Made, 'output_format'>[]
  output_format: string
  timings: Record<string, number>
  cut: { text: string; removed: string }[]
}

/** Sends a run. The key says that a second try means the same run: a reply can get lost after the server has begun. */
export async function submitJob(request: Request, run: Run): Promise<void> {
  const headers = { 'idempotency-key': run.id }
  takeStatus(run, await sendForJson<JobReply>('v1/jobs', { method: 'POST', body: request, headers }))
}

/** Cancels the work on the server, queued or running. */
export async function cancelJob(run: Run): Promise<void> {
  takeStatus(run, await sendForJson<JobReply>(`v1/jobs/${run.job!}`, { method: 'DELETE' }))
}

export function takeEvent(run: Run, { event, data }: StreamEvent): void {
  switch (event) {
    case 'job.status':
      return takeStatus(run, data as JobReply)
    case 'job.progress': {
      const { image_index: index, stage, step, steps } = data as Progress
      Object.assign(run.slots[index]!, { stage, step, steps }, stage === 'prior' ? { priorSteps: steps } : {})
      return
    }
    case 'job.partial_image': {
      const { image_index: index, ...file } = data as File & { image_index: number }
      run.slots[index]!.preview = toBlob(file)
      return
    }
    case 'job.image': {
      const { image_index: index, ...made } = data as Made & { image_index: number }
      takePicture(run, index, made)
    }
  }
}

/** Timings and cut texts, and the pictures that were finished before anybody listened: then it is over. */
export async function takeResult(run: Run): Promise<void> {
  const { data, output_format, timings, cut } = await sendForJson<Result>(`v1/jobs/${run.job!}/result`)
  for (const [index, made] of data.entries()) takePicture(run, index, { ...made, output_format })
  run.timings = timings
  run.cut = [...new Set(cut.map(({ removed }) => removed.trim()))]
  run.state = 'succeeded'
  delete run.ready
}

export function takeStatus(run: Run, { id, status, queue_position: position, error }: JobReply): void {
  run.job = id
  if (status === 'succeeded') {
    // Not over before its pictures are here.
    run.state = 'running'
    run.ready = true
  } else run.state = status
  if (status === 'running') run.startedAt ??= Date.now()
  if (position === null) delete run.position
  else run.position = position
  if (error !== null && status === 'failed') run.problem = sentence(error.message)
}

function takePicture(run: Run, index: number, made: Made): void {
  const slot = run.slots[index]!
  // The tile and its address stay as they are.
  slot.picture ??= { file: toBlob(made), seed: made.seed, parameters: made.parameters }
  delete slot.preview
}

function toBlob({ b64_json, output_format }: File): Blob {
  return fromBase64(b64_json, `image/${output_format}`)
}
