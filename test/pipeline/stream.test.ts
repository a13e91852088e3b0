import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { GenerateResult, StreamEvent } from '../../lib/index.js'
import { MOST_WAITING, streamOf, Waiting, type StartStream } from '../../lib/pipeline/stream.js'

const RESULT = { images: [], seeds: [], cut: [], timings: {} } as unknown as GenerateResult
const IMAGES = 4

const step = (image: number, at: number): StreamEvent => ({
  type: 'step',
  image,
  stage: 'prior',
  step: at,
  steps: 1e6,
  timestep: 0,
  elapsedMs: 0
})
const preview = (index: number, at: number): StreamEvent => ({
  type: 'preview',
  index,
  image: { data: new Uint8Array(3), width: 1, height: 1, channels: 3 },
  stage: 'prior',
  step: at,
  steps: 1e6,
  elapsedMs: 0
})
const image = (index: number): StreamEvent => ({ type: 'image', index, image: {} as never })

/** A run that pushes at its own pace, and ends when the test says. */
function run() {
  let push!: Parameters<StartStream>[1]
  let end!: { resolve: (result: GenerateResult) => void; reject: (error: unknown) => void }
  const stream = streamOf((_signal, given) => {
    push = given
    return new Promise((resolve, reject) => {
      end = { resolve, reject }
    })
  }, undefined)
  return { stream, begin: () => stream.next(), push: (event: StreamEvent) => push(event), end: () => end }
}

async function rest(stream: AsyncGenerator<StreamEvent>): Promise<StreamEvent[]> {
  const events: StreamEvent[] = []
  for await (const event of stream) events.push(event)
  return events
}

test('what nobody reads is bounded: a million steps, thousands of previews, all images', async () => {
  const { stream, begin, push, end } = run()
  const first = begin()
  push(step(0, 0))
  expect((await first).value).toMatchObject({ type: 'step', step: 0 })
  for (let at = 1; at <= 1e6; at++) {
    push(step(at % IMAGES, at))
    if (at % 100 === 0) push(preview(at % IMAGES, at))
    if (at % 250_000 === 0) push(image(at / 250_000 - 1))
  }
  end().resolve(RESULT)
  const events = await rest(stream)
  const of = (type: string) => events.filter(event => event.type === type)
  expect(of('step').length).toBeLessThanOrEqual(MOST_WAITING.step + IMAGES)
  expect(of('preview').length).toBeLessThanOrEqual(MOST_WAITING.preview + IMAGES)
  expect(of('image').map(event => (event as { index: number }).index)).toEqual([0, 1, 2, 3])
  expect(events.at(-1)).toMatchObject({ type: 'done' })
  const steps = of('step') as Extract<StreamEvent, { type: 'step' }>[]
  const numbers = steps.map(each => each.step)
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  // The last of each image has come, whatever was left out before it.
  for (let index = 0; index < IMAGES; index++)
    expect(steps.findLast(each => each.image === index)!.step).toBe(1e6 - ((1e6 - index) % IMAGES))
  expect((of('preview').at(-1) as { step: number }).step).toBe(1e6)
})

test('a reader that is slow gets everything that fits, in order', async () => {
  const { stream, begin, push, end } = run()
  const first = begin()
  const pushed = [step(0, 1), preview(0, 1), image(1), step(0, 2), preview(0, 2), step(1, 1), image(0)]
  for (const event of pushed) push(event)
  end().resolve(RESULT)
  await wait(5)
  const events = [(await first).value as StreamEvent, ...(await rest(stream))]
  expect(events.slice(0, -1)).toEqual(pushed)
  expect(events.at(-1)).toMatchObject({ type: 'done' })
})

test('an error comes after what waits, and is the very error', async () => {
  const { stream, begin, push, end } = run()
  const first = begin()
  push(step(0, 1))
  push(image(0))
  const failure = new Error('mine')
  end().reject(failure)
  await first
  expect((await stream.next()).value).toMatchObject({ type: 'image' })
  await expect(stream.next()).rejects.toBe(failure)
})

test('an image, a step of another image and a preview never give way to a step', () => {
  const waiting = new Waiting()
  waiting.push(image(0))
  waiting.push(step(7, 1))
  waiting.push(preview(0, 1))
  for (let at = 1; at <= 2000; at++) waiting.push(step(0, at))
  const events = []
  for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) events.push(event)
  expect(events.slice(0, 3)).toEqual([image(0), step(7, 1), preview(0, 1)])
  expect(events.at(-1)).toEqual(step(0, 2000))
  expect(events.length).toBe(2 + MOST_WAITING.step)
  expect(waiting.size).toBe(0)
})

test('when the reader comes back, everything is kept again', () => {
  const waiting = new Waiting()
  for (let at = 1; at <= 1000; at++) waiting.push(step(0, at))
  while (waiting.shift() !== undefined);
  for (let at = 1; at <= MOST_WAITING.step; at++) waiting.push(step(0, at))
  expect(waiting.size).toBe(MOST_WAITING.step)
  for (let at = 1; at <= MOST_WAITING.step; at++) expect(waiting.shift()).toEqual(step(0, at))
})
