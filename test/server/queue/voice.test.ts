import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { WorkEvent } from '../../../lib/server/jobs/work.js'
import type { Blobs } from '../../../lib/server/queue/blobs.js'
import type { QueueDatabase } from '../../../lib/server/queue/queue-database.js'
import { Patience } from '../../../lib/server/queue/patience.js'
import { Voice } from '../../../lib/server/queue/voice.js'

type Step = Extract<WorkEvent, { type: 'step' }>

/** A report: when it came, which progress it leaves in the record, and its messages. */
interface Report {
  at: number
  progress: Record<string, string>
  messages: string[]
}

let reports: Report[]
/** What the database answers, report by report; then true. */
let answers: (boolean | Error)[]
let unwanted: number
let voice: Voice

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'], now: 0 })
  ;[reports, answers, unwanted] = [[], [], 0]
  const database: Pick<QueueDatabase, 'report'> = {
    report: async (_id, _run, { steps, messages }) => {
      const answer = answers.shift() ?? true
      if (answer instanceof Error) throw answer
      reports.push({
        at: Math.round(performance.now()),
        progress: Object.fromEntries(steps.map(({ image, stage, step: number }) => [image, `${stage} ${number}`])),
        messages: messages.map(({ kind, contents }) => (kind === 'step' ? `step ${short(contents)}` : kind))
      })
      return answer
    }
  }
  voice = new Voice('id', '1', {
    database: database as unknown as QueueDatabase,
    blobs: { put: async () => {} } as unknown as Blobs,
    patience: new Patience([]),
    ttlMs: 1000,
    unwanted: () => unwanted++
  })
})
afterEach(() => {
  vi.useRealTimers()
})

const short = (text: string) => {
  const { image, stage, step } = JSON.parse(text) as Step
  return `${image} ${stage} ${step}`
}
const step = (number: number, { image = 0, stage = 'prior' as Step['stage'] } = {}) =>
  voice.say({ type: 'step', image, stage, step: number, steps: 100 })
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test('quick steps are told at once, and then the last of them every 200 ms', async () => {
  for (let number = 1; number <= 60; number++) {
    await step(number)
    await pass(10)
  }
  await pass(1000)
  const told = reports.map(({ at, messages }) => [at, messages])
  expect(told).toEqual([
    [0, ['step 0 prior 1']],
    [200, ['step 0 prior 20']],
    [400, ['step 0 prior 40']],
    [600, ['step 0 prior 60']]
  ])
  expect(reports.at(-1)!.progress).toEqual({ 0: 'prior 60' })
})

test('slow steps are told each, at once', async () => {
  for (let number = 1; number <= 4; number++) {
    await step(number)
    await pass(300)
  }
  expect(reports.map(({ at }) => at)).toEqual([0, 300, 600, 900])
})

test('the last step of each image and of each stage is told, and the newest one of an image is its progress', async () => {
  await step(1)
  await pass(10)
  for (const image of [0, 1]) for (const number of [2, 3]) await step(number, { image })
  for (const number of [1, 2]) await step(number, { stage: 'decoder' })
  await pass(1000)
  expect(reports[1]).toEqual({
    at: 200,
    progress: { 0: 'decoder 2', 1: 'prior 3' },
    messages: ['step 0 prior 3', 'step 1 prior 3', 'step 0 decoder 2']
  })
  expect(reports).toHaveLength(2)
})

test('a file is told at once, with the steps that were held back', async () => {
  await step(1)
  await pass(10)
  await step(2)
  await voice.say({ type: 'preview', image: 0, index: 0, file: Buffer.from('x'), format: 'png', width: 8, height: 8 })
  expect(reports.map(({ at, messages }) => [at, messages])).toEqual([
    [0, ['step 0 prior 1']],
    [10, ['step 0 prior 2', 'file']]
  ])
  // Nothing is left to tell later.
  await pass(1000)
  expect(reports).toHaveLength(2)
})

test('the end waits for nothing: what was held back is told before it, once', async () => {
  await step(1)
  await pass(10)
  await step(2)
  await voice.said()
  expect(reports.map(({ at, messages }) => [at, messages])).toEqual([
    [0, ['step 0 prior 1']],
    [10, ['step 0 prior 2']]
  ])
  await voice.said()
  await pass(1000)
  expect(reports).toHaveLength(2)
})

test('that work is not wanted any more is known within 200 ms, although no step follows', async () => {
  answers = [true, false]
  await step(1)
  await pass(10)
  await step(2)
  await pass(189)
  expect(unwanted).toBe(0)
  await pass(1)
  expect(unwanted).toBe(1)
})

test('steps that could not be told are told with the next one', async () => {
  answers = [true, new Error('READONLY')]
  await step(1)
  await pass(300)
  await step(100)
  await pass(300)
  await step(1, { stage: 'decoder' })
  await pass(300)
  expect(reports.map(({ at, messages }) => [at, messages])).toEqual([
    [0, ['step 0 prior 1']],
    [600, ['step 0 prior 100', 'step 0 decoder 1']]
  ])
})

test('the last step is told although the queue is away just then', async () => {
  answers = [Object.assign(new Error('gone'), { code: 'ECONNRESET' }), Object.assign(new Error('gone'), { code: 'ECONNRESET' })]
  await step(1)
  const said = voice.said()
  await pass(20_000)
  await said
  expect(reports.map(({ messages }) => messages)).toEqual([['step 0 prior 1']])
})
