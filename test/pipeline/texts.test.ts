import { expect, test, vi } from 'vitest'
import { Tensor } from '../../lib/index.js'
import { fake, useFakeNative } from '../support/fake.js'
import { QUICK, withPipeline } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

/** Each of them takes a while, and none is like another. */
const PROMPTS = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(32_000)}`)

/** The longest time that others waited for the event loop while a promise was pending. */
async function longestWait(work: Promise<unknown>): Promise<number> {
  let [longest, done] = [0, false]
  const settled = work.finally(() => {
    done = true
  })
  for (let before = performance.now(); !done; before = performance.now()) {
    await new Promise(resolve => setImmediate(resolve))
    longest = Math.max(longest, performance.now() - before)
  }
  await settled
  return longest
}

/** Waits until a call has been submitted; rejects as the call does if it is not. */
const submitted = async (call: Promise<unknown>) => {
  while (fake.runs.length === 0) await Promise.race([call, new Promise(resolve => setTimeout(resolve, 1))])
}

test('many long texts leave the event loop free', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate({ ...QUICK, prompt: PROMPTS })
    // One slice is 10 ms and the text that is begun in it. The limit is for busy machines.
    expect(await longestWait(submitted(done))).toBeLessThan(200)
    expect(fake.runs[0]!.request.priorTexts).toHaveLength(201)
    fake.runs[0]!.finish()
    expect((await done).images).toHaveLength(200)
  }))

test('an abort ends a call whose texts are being tokenized, and nothing is submitted', () =>
  withPipeline(async pipeline => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const done = pipeline.generate({ ...QUICK, prompt: PROMPTS, signal: controller.signal })
    setTimeout(() => controller.abort(reason), 30)
    const started = performance.now()
    await expect(done).rejects.toBe(reason)
    // All of them take a second or more.
    expect(performance.now() - started).toBeLessThan(500)
    expect(fake.runs).toHaveLength(0)
  }))

test('tensors may be disposed as soon as such a call is made', () =>
  withPipeline(async pipeline => {
    const latents = Tensor.from(new Float32Array(200 * 16 * 9), [200, 16, 3, 3])
    const done = pipeline.generate({ ...QUICK, prompt: PROMPTS, latents })
    latents.dispose()
    await submitted(done)
    expect(fake.liveTensors.get(fake.runs[0]!.request.priorLatents!)?.shape).toEqual([200, 16, 3, 3])
    fake.runs[0]!.finish()
    await done
    expect(fake.liveTensors.size).toBe(0)
  }))

test('few texts are submitted before the call first waits', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate(QUICK)
    expect(fake.runs).toHaveLength(1)
    fake.runs[0]!.finish()
    await done
  }))
