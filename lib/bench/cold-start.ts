import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { WuerstchenError } from '../errors.js'
import type { FirstPictureArguments, FirstPictureEvent } from './first-picture.js'
import type { Bench } from './settings.js'
import { summarise, type Summary } from './statistics.js'

/**
 * Each start is a fresh process. Milliseconds from its start until the package is imported, until the model is loaded, and until
 * the first image is a PNG. From the second start on, the model's files are in the system's cache.
 */
export interface ColdStart {
  imported: Summary
  loaded: Summary
  picture: Summary /** The largest of all starts. */
  peakBytes: number
}

const SCRIPT = fileURLToPath(new URL('first-picture.js', import.meta.url))

export async function measureColdStarts({
  settings: { sampling, seed, coldStarts },
  model,
  pipeline,
  signal,
  tick
}: Bench): Promise<ColdStart> {
  const starts: Start[] = []
  for (let start = 0; start < coldStarts; start++) {
    starts.push(await startOnce({ model, pipeline, sampling, seed }, signal))
    tick('cold-start')
  }
  const times = (event: 'imported' | 'loaded' | 'picture') => summarise(starts.map(({ at }) => at[event]))
  return {
    imported: times('imported'),
    loaded: times('loaded'),
    picture: times('picture'),
    peakBytes: Math.max(...starts.map(({ peakBytes }) => peakBytes))
  }
}

interface Start {
  at: Record<FirstPictureEvent['event'], number>
  peakBytes: number
}

/** Times are taken here, so that the start of Node itself counts. */
async function startOnce(args: FirstPictureArguments, signal: AbortSignal | undefined): Promise<Start> {
  signal?.throwIfAborted()
  const started = performance.now()
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(args)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = () => child.kill('SIGKILL')
  signal?.addEventListener('abort', stop, { once: true })
  const start: Partial<Start> & Pick<Start, 'at'> = { at: {} as Start['at'] }
  createInterface(child.stdout).on('line', line => {
    const message = JSON.parse(line) as FirstPictureEvent
    start.at[message.event] = performance.now() - started
    if (message.event === 'picture') start.peakBytes = message.peakBytes
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    signal?.throwIfAborted()
    if (code === 0 && start.peakBytes !== undefined) return start as Start
    throw new WuerstchenError(
      'INTERNAL',
      `Expected a fresh process to make a picture but it ended with ${code}: ${stderr.trim()}`,
      { subject: null }
    )
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
