import { expect, test, vi } from 'vitest'
import { Pipeline } from '../../lib/index.js'
import { fake, settle, useFakeNative } from '../support/fake.js'
import { withModelCopy, withPipeline } from '../support/small-model.js'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

const image = { data: new Uint8Array(128 * 128 * 3), width: 128, height: 128 }
const mask = { data: new Uint8Array(128 * 128).fill(255, 0, 64 * 128), width: 128, height: 128 }

/** Reading and encoding take turns of their own before a run begins. */
async function runBegins(): Promise<void> {
  await vi.waitFor(() => expect(fake.runs.length).toBeGreaterThan(0))
}

test('an edit asks for a prior that starts from the embeddings, inside the mask', () =>
  withPipeline(async pipeline => {
    const done = pipeline.edit([image, image], { prompt: ['a cat', 'a dog'], mask, n: 2, seed: 5, priorSteps: 4, strength: 0.5 })
    await runBegins()
    const { request } = fake.runs[0]!
    expect(
      request.images.map(({ seed, randomOffset, priorText, decoderText }) => [seed, randomOffset, priorText, decoderText])
    ).toEqual([
      [5, 0, 0, 0],
      [6, 0, 0, 0],
      [7, 0, 2, 1],
      [8, 0, 2, 1]
    ])
    expect(request).toMatchObject({
      gridHeight: 3,
      gridWidth: 3,
      prior: { guidanceScale: 4, sampler: 'ddpm' },
      decoderSource: null,
      priorLatents: null,
      decoderLatents: null
    })
    expect(request.prior!.timesteps).toHaveLength(3)
    expect(fake.native.tensorInfo(request.embeddings!).shape).toEqual([4, 16, 3, 3])
    expect(fake.native.tensorInfo(request.mask!).shape).toEqual([4, 1, 3, 3])
    fake.runs[0]!.finish()
    const { images } = await done
    expect(images.map(({ parameters }) => parameters.prompt)).toEqual(['a cat', 'a cat', 'a dog', 'a dog'])
    expect(fake.liveTensors.size).toBe(0)
  }))

test('a reconstruction has no prior; a variation at strength 0 asks for the same', () =>
  withPipeline(async pipeline => {
    const calls = [pipeline.reconstruct(image, { seed: 3 }), pipeline.vary(image, { seed: 3, strength: 0 })]
    await vi.waitFor(() => expect(fake.runs).toHaveLength(2))
    const [a, b] = fake.runs.map(({ request: { embeddings: _embeddings, ...request } }) => request)
    expect(a).toEqual(b)
    expect(a).toMatchObject({ prior: null, mask: null, images: [{ seed: 3, priorText: -1 }] })
    for (const run of fake.runs) run.finish()
    await Promise.all(calls)
    expect(fake.liveTensors.size).toBe(0)
  }))

test('nothing is left behind by calls that fail, are refused late, or are given up', () =>
  withPipeline(async pipeline => {
    const failing = pipeline.edit(image, { prompt: 'a cat', mask })
    await runBegins()
    fake.runs[0]!.fail(new Error('broken'))
    await expect(failing).rejects.toThrow('broken')
    await expect(pipeline.edit(image, { prompt: 'a cat', mask: { ...mask, data: new Uint8Array(128 * 128) } })).rejects.toThrow(
      'all of it is black'
    )
    const controller = new AbortController()
    const given = pipeline.vary(image, { signal: controller.signal })
    await vi.waitFor(() => expect(fake.runs).toHaveLength(2))
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    expect(fake.runs[1]!.cancelled).toBe(true)
    fake.runs[1]!.finish()
    await settle()
    expect(fake.liveTensors.size).toBe(0)
  }))

test('a model without an image encoder says what it lacks', () =>
  withModelCopy(async directory => {
    const file = join(directory, 'wuerstchen.json')
    const manifest = JSON.parse(await readFile(file, 'utf8')) as {
      stages: Record<string, unknown>
      constants: Record<string, unknown>
    }
    delete manifest.stages['imageEncoder']
    await writeFile(file, JSON.stringify(manifest))
    {
      await using pipeline = await Pipeline.load(directory)
      for (const call of [() => pipeline.encodeImage(image), () => pipeline.vary(image)]) {
        await expect(call()).rejects.toThrow(
          expect.objectContaining({ code: 'MODEL_MISMATCH', message: expect.stringContaining('imageEncoder') as string }) as Error
        )
      }
    }
    delete manifest.constants['embeddingStd']
    await writeFile(file, JSON.stringify(manifest))
    await using pipeline = await Pipeline.load(directory)
    await expect(pipeline.edit(image, { prompt: 'a cat' })).rejects.toThrow(
      expect.objectContaining({ code: 'MODEL_MISMATCH', message: expect.stringContaining('embeddingStd') as string }) as Error
    )
  }))
