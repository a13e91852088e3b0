import { invalid } from '../../errors.js'
import type { Work } from '../jobs/work.js'
import type { WorkerLimits } from './announcement.js'

/**
 * What work may ask of a worker: the server refuses at once what is too much for one of them, as any of them can get it, and each
 * worker what is too much for itself, whoever put it into the queue.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export function expectWithin(work: Work, limits: WorkerLimits): void {
  const options = work.options as Readonly<Record<string, unknown>>
  const most = (name: string, value: unknown, limit: number, what: string) => {
    if (typeof value === 'number' && !(value <= limit)) throw invalid(name, `at most ${limit} ${what}`, value)
  }
  most('numImagesPerPrompt', work.images, limits.maxImages, 'images')
  for (const name of ['width', 'height']) most(name, options[name], limits.maxSide, 'pixels')
  most('priorSteps', options['priorSteps'], limits.maxPriorSteps, 'steps')
  most('decoderSteps', options['decoderSteps'], limits.maxDecoderSteps, 'steps')
  const lists = { priorTimesteps: limits.maxPriorSteps, decoderTimesteps: limits.maxDecoderSteps }
  for (const [name, limit] of Object.entries(lists)) {
    const list = options[name]
    if (Array.isArray(list)) most(name, list.length - 1, limit, 'steps')
  }
  for (const name of ['prompt', 'negativePrompt']) {
    const texts = [options[name]].flat()
    for (const text of texts) if (typeof text === 'string') most(name, text.length, limits.maxPromptLength, 'characters')
  }
}
