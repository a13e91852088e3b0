import { expect, test, vi } from 'vitest'
import { Pipeline, Tensor, type StreamEvent } from '../../lib/index.js'
import { fake, settle, useFakeNative } from '../support/fake.js'
import { QUICK, smallModel, withPipeline } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

const request = (index = 0) => fake.runs[index]!.request

test('images are numbered prompt by prompt and count up from the seed', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate({ ...QUICK, prompt: ['a cat', 'a dog'], numImagesPerPrompt: 2, seed: 7 })
    await settle()
    expect(request().images.map(({ seed, priorText, decoderText }) => [seed, priorText, decoderText])).toEqual([
      [7, 0, 0],
      [8, 0, 0],
      [9, 2, 1],
      [10, 2, 1]
    ])
    expect(request()).toMatchObject({
      gridHeight: 3,
      gridWidth: 3,
      prior: { timesteps: Float64Array.of(1, 0.5, 0), sampler: 'ddpm', guidanceScale: 4, guidanceFrom: 0, guidanceTo: 1 },
      decoder: { timesteps: Float64Array.of(1, 0), sampler: 'ddpm', guidanceScale: 0 },
      priorLatents: null,
      embeddings: null
    })
    fake.runs[0]!.finish()
    const { images, seeds } = await done
    expect(seeds).toEqual([7, 8, 9, 10])
    expect(images.map(image => [image.seed, image.parameters.prompt])).toEqual([
      [7, 'a cat'],
      [8, 'a cat'],
      [9, 'a dog'],
      [10, 'a dog']
    ])
    expect(fake.liveTensors.size).toBe(0)
  }))

test('a text that several images share is encoded once, and the negative text only where guidance works', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate({
      ...QUICK,
      prompt: ['a cat', 'a cat', ''],
      negativePrompt: '',
      decoderGuidanceScale: 1,
      seeds: [5, 1, 5]
    })
    await settle()
    expect(request().priorTexts).toHaveLength(2)
    expect(
      request().images.map(({ seed, priorText, priorNegativeText, decoderNegativeText }) => [
        seed,
        priorText,
        priorNegativeText,
        decoderNegativeText
      ])
    ).toEqual([
      [5, 0, 1, -1],
      [1, 0, 1, -1],
      [5, 1, 1, -1]
    ])
    fake.runs[0]!.finish()
    await done
  }))

test('a seed that is left out is drawn, and comes back', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate({ ...QUICK, numImagesPerPrompt: 2 })
    await settle()
    fake.runs[0]!.finish()
    const { seeds } = await done
    expect(seeds[1]).toBe(seeds[0]! + 1)
    expect(request().images.map(image => image.seed)).toEqual(seeds)
  }))

test('text tensors are given row by row, and freed again', () =>
  withPipeline(async pipeline => {
    const prior = Tensor.from(
      new Float32Array(2 * 77 * 40).map((_, index) => index),
      [2, 77, 40]
    )
    const done = pipeline.generate({ ...QUICK, prompt: undefined, promptEmbeds: { prior }, priorGuidanceScale: 0 } as never)
    await settle()
    expect(request().priorTexts.map(text => Object.keys(text))).toEqual([['embeddings'], ['embeddings']])
    expect(request().decoderTexts).toHaveLength(1)
    fake.runs[0]!.finish()
    const { images } = await done
    expect(fake.liveTensors.size).toBe(1)
    expect(images[0]!.parameters.givenTensors).toEqual(['promptEmbeds'])
    prior.dispose()
    expect(fake.liveTensors.size).toBe(0)
  }))

test('prior and decode hand the random stream on; seeds give the decoder fresh ones', () =>
  withPipeline(async pipeline => {
    const prior = pipeline.prior({ prompt: 'a cat', width: 128, height: 128, seed: 3 })
    await settle()
    expect(request().decoder).toBeNull()
    fake.runs[0]!.finish()
    using embeddings = await prior
    expect(embeddings).toMatchObject({ length: 1, seeds: [3], randomOffsets: [100] })

    const decoded = pipeline.decode(embeddings)
    const fresh = pipeline.decode(embeddings, { seed: 9, prompt: 'something else' })
    await settle()
    expect(request(1).images[0]).toMatchObject({ seed: 3, randomOffset: 100 })
    expect(request(2).images[0]).toMatchObject({ seed: 9, randomOffset: 0 })
    for (const run of fake.runs) run.finish()
    expect((await decoded).images[0]!.parameters).toMatchObject({ seed: 3, prompt: 'a cat' })
    expect((await fresh).images[0]!.parameters).toMatchObject({
      seed: 3,
      decoderSeed: 9,
      prompt: 'a cat',
      decoderPrompt: 'something else'
    })
  }))

test('what a call was given may be disposed as soon as the call is made', () =>
  withPipeline(async pipeline => {
    const latents = Tensor.from(new Float32Array(16 * 9), [1, 16, 3, 3])
    const done = pipeline.generate({ ...QUICK, latents })
    latents.dispose()
    fake.runs[0]!.finish()
    expect((await done).images).toHaveLength(1)
  }))

test('an abort rejects at once with the reason, tells the engine, and frees what still comes', () =>
  withPipeline(async pipeline => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const onStep = vi.fn()
    const done = pipeline.generate({ ...QUICK, signal: controller.signal, onStep })
    await settle()
    controller.abort(reason)
    await expect(done).rejects.toBe(reason)
    expect(fake.runs[0]!.cancelled).toBe(true)
    fake.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
    expect(onStep).not.toHaveBeenCalled()
    fake.runs[0]!.finish()
    await settle()
    expect(fake.liveTensors.size).toBe(0)
    await expect(pipeline.generate({ ...QUICK, signal: controller.signal })).rejects.toBe(reason)
    expect(fake.runs).toHaveLength(1)
  }))

test('a listener that throws rejects the call with what it threw', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate({
      ...QUICK,
      onStep: () => {
        throw new TypeError('mine')
      }
    })
    await settle()
    fake.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
    await expect(done).rejects.toThrow(new TypeError('mine'))
    expect(fake.runs[0]!.cancelled).toBe(true)
    fake.runs[0]!.stop()
  }))

test('a stream yields steps, images and the result; leaving it cancels', () =>
  withPipeline(async pipeline => {
    const events: StreamEvent[] = []
    const pixels = { width: 128, height: 128, data: new Uint8Array(128 * 128 * 3) }
    const reading = (async () => {
      for await (const event of pipeline.stream({ ...QUICK, seed: 1 })) events.push(event)
    })()
    await settle()
    fake.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
    fake.runs[0]!.emit({ type: 'image', image: 0, pixels })
    fake.runs[0]!.finish()
    await reading
    expect(events.map(event => event.type)).toEqual(['step', 'image', 'done'])
    expect(events[1]).toMatchObject({ index: 0, image: { width: 128 } })
    expect((events[2] as Extract<StreamEvent, { type: 'done' }>).images[0]).toBe(
      (events[1] as Extract<StreamEvent, { type: 'image' }>).image
    )

    const left = (async () => {
      for await (const event of pipeline.stream(QUICK)) if (event.type === 'step') break
    })()
    await settle()
    fake.runs[1]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
    await left
    expect(fake.runs[1]!.cancelled).toBe(true)
    fake.runs[1]!.finish()
  }))

test('a stream that fails throws where it is read', () =>
  withPipeline(async pipeline => {
    const reading = (async () => {
      for await (const _ of pipeline.stream(QUICK)) expect.unreachable()
    })()
    const check = expect(reading).rejects.toThrow('broken')
    await settle()
    fake.runs[0]!.fail(new Error('broken'))
    await check
    expect(() => pipeline.stream({ ...QUICK, width: 100 })).toThrow(/for width/)
  }))

test('an error without a stack gets that of the call', () =>
  withPipeline(async pipeline => {
    const { WuerstchenError } = await import('../../lib/index.js')
    const done = (function theCaller() {
      return pipeline.generate(QUICK)
    })()
    await settle()
    const error = new WuerstchenError('OUT_OF_MEMORY', 'no memory', { subject: 'prior' })
    error.stack = 'WuerstchenError: no memory'
    fake.runs[0]!.fail(error)
    await expect(done).rejects.toBe(error)
    expect(error.stack).toContain('theCaller')
  }))

test('dispose refuses new work, ends what runs, and may be called again', async () => {
  const pipeline = await Pipeline.load(smallModel)
  const failed = expect(pipeline.generate(QUICK)).rejects.toMatchObject({ code: 'DISPOSED' })
  await settle()
  const closed = pipeline.dispose()
  await expect(pipeline.generate(QUICK)).rejects.toMatchObject({ code: 'DISPOSED' })
  expect(() => pipeline.stats()).toThrow('it has been disposed')
  await failed
  await closed
  await pipeline.dispose()
  expect(fake.engines[0]!.disposed).toBe(true)
})
