import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, Pipeline, readParameters, Stage, Tensor, uniformTimesteps, WuerstchenError } from '../../lib/index.js'
import { QUICK, smallModel, withPipeline } from '../support/small-model.js'
import { join } from 'node:path'

/** Values that no call expects: each must end in a typed error or be harmless, never in a crash. */
const HOSTILE: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['0', 0],
  ['-1', -1],
  ['1.5', 1.5],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['2^53', 2 ** 53],
  ['1e308', 1e308],
  ['a bigint', 10n ** 30n],
  ['an empty string', ''],
  ['a string', 'x'],
  ['a huge string', 'x'.repeat(1 << 20)],
  ['a lone surrogate', '\ud800'],
  ['a symbol', Symbol('x')],
  ['a function', () => 1],
  ['an empty list', []],
  ['a list of null', [null]],
  ['a nested list', [[[]]]],
  ['a sparse list', new Array(10)],
  ['an object', {}],
  ['a null-prototype object', Object.create(null)],
  ['a frozen object', Object.freeze({})],
  ['an object with unknown names', { bogus: 1 }],
  [
    'a getter that throws',
    {
      get prompt() {
        throw new Error('hostile getter')
      }
    }
  ],
  [
    'a proxy that throws',
    new Proxy(
      {},
      {
        get() {
          throw new Error('hostile proxy')
        },
        ownKeys() {
          throw new Error('hostile proxy')
        }
      }
    )
  ],
  [
    'a revoked proxy',
    (() => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    })()
  ],
  ['a typed array', new Float32Array(4)],
  ['a big typed array', new Uint8Array(1 << 16)],
  ['a buffer', Buffer.from('x')],
  ['an array buffer', new ArrayBuffer(8)],
  ['a shared array', new Uint8Array(new SharedArrayBuffer(8))],
  ['a shared array of one', new Uint8Array(new SharedArrayBuffer(1))],
  ['an array of one that was detached', detached(new Uint8Array(1))],
  ['a detached array', detached(new Float32Array(4))],
  ['a date', new Date()],
  ['a map', new Map()],
  ['a promise', Promise.resolve()],
  ['a class', class {}],
  ['a fake tensor', { shape: [1], dtype: 'float32', handle: {}, disposed: false }],
  ['a borrowed prototype', Object.create(Tensor.prototype)],
  ['an invalid date', new Date(NaN)],
  [
    'a primitive that throws',
    {
      [Symbol.toPrimitive]() {
        throw new Error('hostile primitive')
      },
      toString() {
        throw new Error('hostile text')
      }
    }
  ],
  ['a frozen list', Object.freeze([1, 2])],
  ['a list whose iterator throws', Object.assign([1], { [Symbol.iterator]: hostile })],
  ['a list with a getter that throws', Object.defineProperty([0], 0, { get: hostile, enumerable: true })],
  ['a proxy of a list that throws', new Proxy([1, 2], { get: hostile })],
  ['a proxy of a typed array', new Proxy(new Float32Array(4), {})],
  ['a proxy of a tensor', proxyOfTensor()],
  [
    'a proxy that throws at its prototype',
    new Proxy({}, { getPrototypeOf: hostile, has: hostile, getOwnPropertyDescriptor: hostile })
  ],
  ['a huge list', new Array(2 ** 32 - 1)],
  ['a number object', Object(4)],
  ['a string object', Object('x')],
  ['a weak map', new WeakMap()],
  ['a generator', (function* () {})()],
  ['an error', new Error('x')],
  ['a URL', new URL('http://example.org/x')]
]

function hostile(): never {
  throw new Error('hostile trap')
}

/** A tensor that is no tensor: private fields do not go through a proxy. */
function proxyOfTensor(): unknown {
  return new Proxy(Tensor.from(new Float32Array(4), [4]), {})
}

function detached<T extends ArrayBufferView>(data: T): T {
  structuredClone(data, { transfer: [data.buffer as ArrayBuffer] })
  return data
}

const picture = { data: new Uint8Array(128 * 128), width: 128, height: 128 }

let pipeline: Pipeline
let stage: Stage
let tensor: Tensor
let embeddings: Embeddings
beforeAll(async () => {
  pipeline = await Pipeline.load(smallModel, { threads: 1 })
  stage = await Stage.load(join(smallModel, 'vqDecoder.float32.cpu.pt'), { threads: 1 })
  tensor = Tensor.from(new Float32Array(4 * 64), [1, 4, 8, 8])
  embeddings = Embeddings.from(Tensor.from(new Float32Array(16 * 9), [1, 16, 3, 3]))
})
afterAll(async () => {
  await pipeline.dispose()
  await stage.dispose()
})

/** A call either gives something or throws a typed error, also if the value itself threw: that is then its cause. */
async function expectSafe(name: string, call: () => unknown): Promise<void> {
  try {
    await call()
  } catch (error) {
    expect(error, name).toBeInstanceOf(WuerstchenError)
    expect(['INVALID_ARGUMENT', 'MODEL_NOT_FOUND', 'DISPOSED'], name).toContain((error as WuerstchenError).code)
  }
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = any

const CALLS: Record<string, (value: Any) => unknown> = {
  'Pipeline.load(value)': value => (value === undefined || value === '' ? undefined : Pipeline.load(value)),
  'Tensor.from(value)': value => Tensor.from(value, [1]),
  'Tensor.from(…, value)': value => Tensor.from(new Float32Array(4), value).dispose(),
  'Tensor.from(…, …, value)': value => Tensor.from(new Float32Array(4), [4], value).dispose(),
  'Tensor#to': value => tensor.to(value),
  'Stage.load(value)': value => Stage.load(value),
  'Stage.load(…, value)': async value => (await Stage.load(join(smallModel, 'vqDecoder.float32.cpu.pt'), value)).dispose(),
  'Stage#run(value)': value => stage.run(value),
  'Stage#run([value])': value => stage.run([value]),
  'Stage#run(…, value)': value => stage.run([tensor], value),
  'Embeddings.from(value)': value => Embeddings.from(value),
  'Embeddings.load(value)': value => Embeddings.load(value),
  'readParameters(value)': value => readParameters(value),
  'uniformTimesteps(value)': value => uniformTimesteps(value),
  'Pipeline#generate(value)': value => pipeline.generate(value),
  'Pipeline#prior(value)': value => pipeline.prior(value),
  'Pipeline#decode(value)': value => pipeline.decode(value),
  'Pipeline#decode(…, value)': value =>
    value === undefined || Object.keys(Object(isRevoked(value) ? 1 : value)).length === 0
      ? undefined
      : pipeline.decode(embeddings, value),
  'Pipeline#encodeImage(value)': value => pipeline.encodeImage(value),
  'Pipeline#encodeImage(…, value)': value => pipeline.encodeImage(picture, value),
  'Pipeline#reconstruct(value)': value => pipeline.reconstruct(value),
  'Pipeline#vary([value])': value => pipeline.vary([value]),
  'Pipeline#edit(…, value)': value => pipeline.edit(picture, value),
  'Pipeline#edit(…, { mask: value })': value =>
    value === undefined ? undefined : pipeline.edit(picture, { prompt: '', mask: value }),
  'Pipeline#encodeLatents(value)': value => pipeline.encodeLatents(value),
  'Pipeline#decodeLatents(value)': value => pipeline.decodeLatents(value),
  'Embeddings.mix(value)': value => Embeddings.mix(value),
  'Embeddings.mix(…, value)': value => Embeddings.mix([embeddings, embeddings], value),
  'Embeddings.interpolate(…, value)': value => Embeddings.interpolate(embeddings, embeddings, value),
  'Embeddings#toFile(…, value)': value =>
    value === undefined || Object.keys(Object(isRevoked(value) ? 1 : value)).length === 0
      ? undefined
      : embeddings.toFile('never.safetensors', value),
  'Pipeline#stream(value)': async value => {
    for await (const _ of pipeline.stream(value)) break
  }
}

function isRevoked(value: unknown): boolean {
  try {
    Object.keys(Object(value))
    return false
  } catch {
    return true
  }
}

describe.each(Object.keys(CALLS))('%s', name => {
  test('survives every hostile value', async () => {
    for (const [what, value] of HOSTILE) await expectSafe(what, () => CALLS[name]!(value))
  })
})

describe('every option of generate refuses what it cannot use', () => {
  const accepted: Record<string, (value: unknown) => boolean> = {
    prompt: value => typeof value === 'string' && value.length < 32_768,
    negativePrompt: value => typeof value === 'string' && value.length < 32_768,
    seed: value => value === 0,
    // A list of one integer, whatever else it has.
    seeds: value => !isRevoked(value) && Array.isArray(value) && Object.hasOwn(value, Symbol.iterator),
    priorGuidanceScale: value => value === 0 || value === 1.5,
    decoderGuidanceScale: value => value === 0 || value === 1.5,
    onStep: value => typeof value === 'function',
    promptEmbeds: isEmptyObject,
    negativePromptEmbeds: isEmptyObject
  }
  const options = [
    'prompt',
    'negativePrompt',
    'width',
    'height',
    'numImagesPerPrompt',
    'seed',
    'seeds',
    'priorSteps',
    'priorTimesteps',
    'priorGuidanceScale',
    'decoderSteps',
    'decoderTimesteps',
    'decoderGuidanceScale',
    'latents',
    'promptEmbeds',
    'negativePromptEmbeds',
    'signal',
    'onStep'
  ]

  test.each(options)('%s', async option => {
    for (const [name, value] of HOSTILE) {
      if (value === undefined || accepted[option]?.(value)) continue
      const { priorSteps, decoderSteps, ...rest } = QUICK
      const steps = {
        ...(option === 'priorTimesteps' ? {} : { priorSteps }),
        ...(option === 'decoderTimesteps' ? {} : { decoderSteps })
      }
      await expect(pipeline.generate({ ...rest, ...steps, [option]: value } as Any), `${option}: ${name}`).rejects.toSatisfy(
        (error: Error) => WuerstchenError.is(error, 'INVALID_ARGUMENT') && error.message.length < 2000
      )
    }
  })
})

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !isRevoked(value) &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    Object.keys(value).length === 0
  )
}

describe('a tensor of the wrong kind is refused before it reaches the engine', () => {
  test.each<[string, () => Record<string, unknown>, RegExp]>([
    ['latents of another size', () => ({ latents: tensor }), /Expected \[1, 16, 3, 3\] for latents\.shape/],
    [
      'latents that are integers',
      () => ({ latents: Tensor.from(new Int32Array(144), [1, 16, 3, 3]) }),
      /a floating dtype for latents\.dtype/
    ],
    [
      'text of another width',
      () => ({ promptEmbeds: Tensor.from(new Float32Array(77), [1, 77, 1]) }),
      /\[prompts, 77, 40\] for promptEmbeds\.shape/
    ],
    [
      'text of another length',
      () => ({ promptEmbeds: Tensor.from(new Float32Array(40), [1, 1, 40]) }),
      /\[prompts, 77, 40\] for promptEmbeds\.shape/
    ],
    [
      'negative text for other prompts',
      () => ({ negativePromptEmbeds: Tensor.from(new Float32Array(2 * 77 * 40), [2, 77, 40]) }),
      /1, the number of prompts/
    ],
    [
      'a disposed tensor',
      () => {
        const gone = Tensor.from(new Float32Array(144), [1, 16, 3, 3])
        gone.dispose()
        return { latents: gone }
      },
      /live tensor/
    ]
  ])('%s', async (_name, options, message) => {
    await expect(pipeline.generate({ ...QUICK, ...options() })).rejects.toThrow(message)
  })

  test.each<[string, () => Tensor, RegExp]>([
    ['another dtype', () => Tensor.from(new Float64Array(256), [1, 4, 8, 8]), /float32/],
    ['another rank', () => Tensor.from(new Float32Array(256), [4, 8, 8]), /Expected/],
    ['other channels', () => Tensor.from(new Float32Array(256), [1, 2, 8, 16]), /Expected/]
  ])("a stage's input of %s", async (_name, input, message) => {
    await expect(stage.run([input()])).rejects.toSatisfy(
      (error: WuerstchenError) => error.code === 'INVALID_ARGUMENT' && message.test(error.message)
    )
  })
})

test("embeddings of another number of channels than the model's are refused where they are used", async () => {
  using other = Embeddings.from(Tensor.from(new Float32Array(72), [1, 8, 3, 3]))
  await expect(pipeline.decode(other)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'embeddings.shape' })
})

describe('after dispose', () => {
  test('a tensor refuses everything but dispose', async () => {
    const gone = Tensor.from(new Float32Array(4), [4])
    gone.dispose()
    gone.dispose()
    expect([gone.shape, gone.disposed]).toEqual([[4], true])
    await expect(gone.data()).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(gone.to('float16')).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(stage.run([gone])).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(() => Embeddings.from(gone)).toThrow(WuerstchenError)
  })

  test('data that was asked for before still comes', async () => {
    const short = Tensor.from(Float32Array.of(1, 2, 3), [3])
    const data = short.data()
    short.dispose()
    expect(await data).toEqual(Float32Array.of(1, 2, 3))
  })

  test('a stage refuses to run, and what runs is finished', async () => {
    const own = await Stage.load(join(smallModel, 'vqDecoder.float32.cpu.pt'), { threads: 1 })
    const running = own.run([tensor])
    await own.dispose()
    await own.dispose()
    expect((await running)[0]!.shape).toEqual([1, 3, 32, 32])
    await expect(own.run([tensor])).rejects.toMatchObject({ code: 'DISPOSED' })
  })

  test('embeddings are refused, and a pipeline ends what runs', () =>
    withPipeline(async own => {
      const gone = Embeddings.from(Tensor.from(new Float32Array(144), [1, 16, 3, 3]))
      gone.dispose()
      await expect(own.decode(gone)).rejects.toMatchObject({ code: 'DISPOSED' })
      const ended = expect(own.generate(QUICK)).rejects.toMatchObject({ code: 'DISPOSED' })
      await own.dispose()
      await ended
      for (const call of [() => own.generate(QUICK), () => own.prior(QUICK), () => own.decode(embeddings)]) {
        await expect(call()).rejects.toMatchObject({ code: 'DISPOSED' })
      }
    }))
})
