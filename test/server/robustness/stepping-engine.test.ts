import { afterEach, expect, test, vi } from 'vitest'
import type { EngineEvent, Native } from '../../../lib/native.js'
import { Pipeline, type GenerateOptions } from '../../../lib/index.js'
import { smallModel } from '../../support/small-model.js'
import { SteppingEngine } from './support/stepping-engine.js'

// What the other files of this folder say of a server with SteppingEngine holds for the real engine as far as the two do the
// same.

let stepping: SteppingEngine | undefined
/** The engine's own events of the last run, and whether it ended without a result. */
let heard: (Record<string, unknown> & { pixels?: { width: number; height: number } })[] = []
let stopped: Promise<boolean> | undefined
vi.mock('../../../lib/load/addon.js', async importOriginal => {
  const real = await importOriginal<{ loadAddon(): Native }>()
  const listening = (native: Native): Native => ({
    ...native,
    submit: (engine, request, onEvent) => {
      heard = []
      const submitted = native.submit(engine, request, event => {
        const { timestep, ...rest } = event as Extract<EngineEvent, { type: 'step' }>
        // In the real engine they are float32.
        heard.push({ ...rest, ...(timestep === undefined ? {} : { timestep: Math.round(timestep * 1e6) / 1e6 }) })
        onEvent(event)
      })
      stopped = submitted.done.then(result => result === null)
      return submitted
    }
  })
  return { loadAddon: () => listening(stepping?.native ?? real.loadAddon()) }
})

afterEach(() => {
  stepping = undefined
})

/** What an engine reports of a call, without pixels. */
async function eventsOf(engine: SteppingEngine | undefined, options: GenerateOptions) {
  stepping = engine
  await using pipeline = await Pipeline.load(smallModel, { threads: 1 })
  const outcome = await pipeline.generate(options).then(
    () => 'done',
    (error: unknown) => error
  )
  return {
    outcome,
    stopped: await stopped,
    events: heard.map(({ pixels, ...event }) => ({
      ...event,
      ...(pixels === undefined ? {} : { size: [pixels.width, pixels.height] })
    }))
  }
}

const CALL = { width: 128, height: 128, priorSteps: 3, decoderSteps: 2, seed: 1 }

test.each([1, 2, 3])(
  'a call of %i pictures reports the same steps and pictures as the real engine, in the same order',
  async count => {
    const options = { ...CALL, prompt: Array.from({ length: count }, (_, index) => `picture ${index}`) }
    const real = await eventsOf(undefined, options)
    expect(real.events).toHaveLength(count * (3 + 2 + 1 + 1))
    expect(await eventsOf(new SteppingEngine(), options)).toEqual(real)
  }
)

test('what it says of itself while it works and after is what the real engine says', async () => {
  const saidBy = async (engine: SteppingEngine | undefined) => {
    stepping = engine
    await using pipeline = await Pipeline.load(smallModel, { threads: 1 })
    const figures = () => {
      const { silentMs, doing, tasks, threads } = pipeline.stats()
      return { silent: silentMs > 0, doing, tasks, threads }
    }
    const before = figures()
    let done: Promise<unknown> | undefined
    const during = new Promise<ReturnType<typeof figures>>(resolve => {
      done = pipeline.generate({ ...CALL, prompt: 'x', priorSteps: 100, onStep: ({ step }) => step === 50 && resolve(figures()) })
    })
    const said = { before, during: await during }
    await done
    await vi.waitUntil(() => pipeline.stats().silentMs === 0)
    return { ...said, after: figures() }
  }
  const fake = await saidBy(new SteppingEngine())
  expect(fake).toEqual({
    before: { silent: false, doing: null, tasks: 0, threads: 1 },
    during: { silent: true, doing: 'prior', tasks: 0, threads: 1 },
    after: { silent: false, doing: 'vqDecoder', tasks: 0, threads: 1 }
  })
  expect(await saidBy(undefined)).toEqual(fake)
})

test('a cancelled call ends in the same way, at most one step later', async () => {
  const cancelled = async (engine: SteppingEngine | undefined) => {
    const controller = new AbortController()
    let steps = 0
    const onStep = () => {
      if (++steps === 3) controller.abort('enough')
    }
    return eventsOf(engine, { ...CALL, prompt: 'x', priorSteps: 200, signal: controller.signal, onStep })
  }
  const [real, fake] = [await cancelled(undefined), await cancelled(new SteppingEngine())]
  for (const { outcome, stopped: ended } of [real, fake]) expect([outcome, ended]).toEqual(['enough', true])
  expect(fake.events).toHaveLength(3)
  // The real one takes its steps on another thread: some that it took before it heard of the cancel are still reported.
  expect(real.events.slice(0, 3)).toEqual(fake.events)
})
