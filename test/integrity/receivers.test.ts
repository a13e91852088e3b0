import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, GeneratedImage, Pipeline, Stage, Tensor } from '../../lib/index.js'
import { QUICK, smallModel, withPipeline } from '../support/small-model.js'

/** One rule: a method or getter on an object that is not of its class is INVALID_ARGUMENT, and its subject is `this`. */

const CLASSES = { Pipeline, Embeddings, Tensor, Stage, GeneratedImage }
const genuine: Record<string, object> = {}

beforeAll(async () => {
  const pipeline = await Pipeline.load(smallModel, { threads: 1 })
  genuine['Pipeline'] = pipeline
  genuine['Embeddings'] = Embeddings.from(Tensor.from(new Float32Array(144), [1, 16, 3, 3]))
  genuine['Tensor'] = Tensor.from(new Float32Array(1), [1])
  genuine['Stage'] = await Stage.load(join(smallModel, 'vqDecoder.float32.cpu.pt'), { threads: 1 })
  genuine['GeneratedImage'] = (await pipeline.generate(QUICK)).images[0]!
})
afterAll(async () => {
  await (genuine['Pipeline'] as Pipeline).dispose()
  await (genuine['Stage'] as Stage).dispose()
})

const members = Object.entries(CLASSES).flatMap(([name, { prototype }]) =>
  Reflect.ownKeys(prototype)
    .filter(key => key !== 'constructor')
    .map(key => {
      const { get, value } = Object.getOwnPropertyDescriptor(prototype, key)!
      return { name, member: `${name}#${String(key)}`, call: (get ?? value) as () => unknown }
    })
)

test('all public classes are here', async () => {
  const exported = Object.entries(await import('../../lib/index.js'))
    .filter(([, value]) => typeof value === 'function' && /^class /.test(Function.prototype.toString.call(value)))
    .map(([name]) => name)
  expect(exported.toSorted()).toEqual([...Object.keys(CLASSES), 'WuerstchenError'].toSorted())
  expect(members.length).toBeGreaterThan(35)
})

test.each(members)('$member on another object', async ({ name, call }) => {
  const { prototype } = CLASSES[name as 'Tensor']
  const others = Object.entries(genuine).filter(([other]) => other !== name)
  const receivers: unknown[] = [
    undefined,
    null,
    1,
    'text',
    {},
    () => {},
    prototype,
    Object.create(prototype),
    Object.create(genuine[name]!),
    new Proxy(genuine[name]!, {}),
    { ...genuine[name], __proto__: prototype },
    ...others.map(([, other]) => other)
  ]
  for (const receiver of receivers) {
    const failure = await (async () => Reflect.apply(call, receiver, [{}]))().then(
      () => 'worked',
      (error: unknown) => error
    )
    expect(failure).toMatchObject({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT', subject: 'this' })
  }
})

test('what no instance is needed for works without a receiver', async () => {
  const { from } = Tensor
  using tensor = from(Float32Array.of(1), [1])
  const { from: wrap, mix } = Embeddings
  using embeddings = wrap(Tensor.from(new Float32Array(144), [1, 16, 3, 3]))
  using mixed = await mix([embeddings])
  expect([tensor.shape, mixed.length]).toEqual([[1], 1])
})

test('an object of a subclass, and a frozen one, is of the class', async () => {
  class Named extends Tensor {
    readonly label = 'mine'
  }
  using tensor = new Named(Tensor.from(Float32Array.of(4), [1]).handle)
  Object.freeze(tensor)
  expect([tensor.label, await tensor.data(), tensor.disposed]).toEqual(['mine', Float32Array.of(4), false])
  tensor.dispose()
  expect(tensor.disposed).toBe(true)
})

describe('a getter that disposes in the middle of a call', () => {
  const settled = async (work: unknown) => {
    try {
      await work
      return 'done'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  const calls: [string, (pipeline: Pipeline, dispose: () => void) => unknown][] = [
    ['generate', (pipeline, dispose) => pipeline.generate(late('prompt', 'a', dispose))],
    ['prior', (pipeline, dispose) => pipeline.prior(late('prompt', 'a', dispose, false, PRIOR))],
    ['decode', (pipeline, dispose) => pipeline.decode(genuine['Embeddings'] as Embeddings, late('seed', 1, dispose, true))],
    ['encodeImage', (pipeline, dispose) => pipeline.encodeImage(late('width', 128, dispose, false, PIXELS))],
    ['vary', (pipeline, dispose) => pipeline.vary(PIXELS, late('strength', 0.5, dispose, true))],
    ['encodeLatents', (pipeline, dispose) => pipeline.encodeLatents(PIXELS, late('width', 128, dispose, false, {}))],
    [
      'stream',
      async (pipeline, dispose) => {
        for await (const _ of pipeline.stream(late('prompt', 'a', dispose)));
      }
    ]
  ]
  const PRIOR = { width: 128, height: 128, priorSteps: 2 }
  const PIXELS = { data: new Uint8Array(128 * 128 * 3), width: 128, height: 128 }

  /** Options of which one is a getter that calls `dispose` before it gives its value. */
  function late<T>(key: string, value: unknown, dispose: () => void, decoder = false, rest?: object): T {
    const { decoderSteps } = QUICK
    const options = { ...(rest ?? (decoder ? { decoderSteps } : QUICK)) }
    return Object.defineProperty(options, key, {
      enumerable: true,
      get() {
        dispose()
        return value
      }
    }) as T
  }

  test.each(calls)('of the pipeline: %s is refused, and so is the next call', (_name, call) =>
    withPipeline(async pipeline => {
      let disposing: Promise<void> | undefined
      const work = call(pipeline, () => (disposing ??= pipeline.dispose()))
      expect(await settled(work)).toBe('DISPOSED')
      await disposing
      expect(disposing).toBeDefined()
      expect(await settled(call(pipeline, () => {}))).toBe('DISPOSED')
    })
  )

  test('of a tensor: the call is refused, and the next one is not', () =>
    withPipeline(async pipeline => {
      const latents = Tensor.from(new Float32Array(144), [1, 16, 3, 3])
      const options = late<typeof QUICK>('prompt', 'a', () => latents.dispose())
      expect(await settled(pipeline.generate(Object.assign(options, { latents })))).toBe('DISPOSED')
      expect(await settled(pipeline.generate(QUICK))).toBe('done')
      expect(pipeline.stats()).toMatchObject({ running: 0, queued: 0, completed: 1 })
    }))

  test('of a tensor among the inputs of a stage', async () => {
    const stage = genuine['Stage'] as Stage
    const tensor = Tensor.from(new Float32Array(4 * 64), [1, 4, 8, 8])
    const inputs = Object.defineProperty([tensor], 0, {
      get() {
        tensor.dispose()
        return tensor
      }
    })
    expect(await settled(stage.run(inputs))).toBe('DISPOSED')
  })
})
