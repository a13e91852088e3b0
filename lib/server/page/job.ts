import { Refusal, send, sendForJson, Unreachable } from './api.js'
import { fromBase64 } from './base64.js'
import { readEvents, type StreamEvent } from './event-stream.js'
import { isOver, type Parameters, type Run, type RunState } from './run.js'

interface JobReply {
  id: string
  status: RunState
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

/** A connection that breaks this often in a row is not going to come back. */
const MOST_FAILURES = 6

export async function submitJob(job: object, run: Run): Promise<void> {
  apply(run, await sendForJson<JobReply>('v1/jobs', { method: 'POST', body: job }))
}

/** Cancels the work on the server, queued or running. */
export async function cancelJob(run: Run): Promise<void> {
  apply(run, await sendForJson<JobReply>(`v1/jobs/${run.job!}`, { method: 'DELETE' }))
}

/** Follows a job until it is over and its pictures are here; connects again where the connection breaks. */
export async function followJob(run: Run, changed: () => void): Promise<void> {
  for (let failures = 0; !isOver(run); ) {
    try {
      const { body } = await send(`v1/jobs/${run.job!}/events`)
      for await (const event of readEvents(body!)) {
        failures = 0
        take(run, event)
        changed()
      }
      failures++
    } catch (error) {
      if (error instanceof Refusal || ++failures >= MOST_FAILURES) throw error
    }
    if (failures >= MOST_FAILURES) throw new Unreachable('The connection to the server breaks again and again.')
    if (!isOver(run)) await new Promise(resolve => setTimeout(resolve, 250 * 2 ** failures))
  }
  if (run.state === 'succeeded') await takeResult(run)
}

function take(run: Run, { event, data }: StreamEvent): void {
  switch (event) {
    case 'job.status':
      return apply(run, data as JobReply)
    case 'job.progress': {
      const { image_index: index, stage, step, steps } = data as Progress
      Object.assign(run.slots[index]!, { stage, step, steps })
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

/** Timings and cut texts, and the pictures that were finished before anybody listened. */
async function takeResult(run: Run): Promise<void> {
  const { data, output_format, timings, cut } = await sendForJson<Result>(`v1/jobs/${run.job!}/result`)
  for (const [index, made] of data.entries()) takePicture(run, index, { ...made, output_format })
  run.timings = timings
  run.cut = [...new Set(cut.map(({ removed }) => removed.trim()))]
}

function takePicture(run: Run, index: number, made: Made): void {
  const slot = run.slots[index]!
  // The tile and its address stay as they are.
  slot.picture ??= { file: toBlob(made), seed: made.seed, parameters: made.parameters }
  delete slot.preview
}

function apply(run: Run, { id, status, queue_position: position, error }: JobReply): void {
  run.job = id
  run.state = status
  if (position === null) delete run.position
  else run.position = position
  if (error !== null && status === 'failed') run.problem = error.message
}

function toBlob({ b64_json, output_format }: File): Blob {
  return fromBase64(b64_json, `image/${output_format}`)
}
