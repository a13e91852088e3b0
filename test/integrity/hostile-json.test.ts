import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { parseJson } from '../../lib/files/json.js'
import { Embeddings, Pipeline, Tensor, WuerstchenError } from '../../lib/index.js'
import { readModel } from '../../lib/model/directory.js'
import { fake, useFakeNative } from '../support/fake.js'
import { editIndex, editManifest } from '../support/model-files.js'
import { compiledModel, root, withModelCopy } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
const nestedObjects = (levels: number) => `${'{"a":'.repeat(levels)}0${'}'.repeat(levels)}`
const many = (items: number) => `[${'1,'.repeat(items - 1)}1]`

const DEEP: [string, string][] = [
  ['a nested list', nested(200_000)],
  ['nested objects', nestedObjects(200_000)],
  ['brackets that nothing closes', '['.repeat(1_000_000)],
  ['a million values', many(1_000_000)],
  ['a nested version', `{"formatVersion":${nested(200_000)}}`],
  ['a nested configuration', `{"formatVersion":1,"stages":{"prior":{"config":{"a":${nested(200_000)}},"artefacts":[]}}}`],
  [
    'artefacts without end',
    `{"formatVersion":1,"artefacts":${many(1_000_000)},"stages":{"prior":{"artefacts":${many(1_000_000)}}}}`
  ],
  ['a long version', `{"formatVersion":"${'x'.repeat(10_000_000)}"}`],
  ['a long key', `{"formatVersion":1,"constants":{"${'x'.repeat(10_000_000)}":1}}`],
  ['null', 'null'],
  ['a number', '1'],
  ['half a string', '"\\']
]

describe('JSON that no reader can take is MODEL_INVALID', () => {
  test.each(DEEP)('%s as wuerstchen.json', (_name, text) =>
    withModelCopy(async directory => {
      writeFileSync(join(directory, 'wuerstchen.json'), text)
      const error: unknown = await readModel(directory).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ name: 'WuerstchenError', code: 'MODEL_INVALID' })
      expect((error as Error).message.length).toBeLessThan(2000)
    })
  )

  test.each(DEEP)('%s as compiled.json', (_name, text) =>
    withModelCopy(async directory => {
      mkdirSync(join(directory, 'compiled'))
      writeFileSync(join(directory, 'compiled', 'compiled.json'), text)
      await expect(readModel(directory)).rejects.toMatchObject({ name: 'WuerstchenError', code: 'MODEL_INVALID' })
    })
  )

  test.each(DEEP)('%s as a tokenizer', (_name, text) =>
    withModelCopy(async directory => {
      writeFileSync(join(directory, 'prior_tokenizer.json'), text)
      await expect(Pipeline.load(directory, { verify: false })).rejects.toMatchObject({
        name: 'WuerstchenError',
        code: 'MODEL_INVALID'
      })
    })
  )
})

/** A safetensors file of one embedding, with a header of which `edit` made a text. */
function embeddingsFile(edit: (header: Record<string, unknown>) => string | undefined): Buffer {
  const header = {
    embeddings: { dtype: 'F32', shape: [1, 16, 3, 3], data_offsets: [0, 576] },
    __metadata__: { space: 'e', wuerstchen: '[]' }
  }
  const text = Buffer.from(edit(header) ?? JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(576)])
}

describe('embeddings with such JSON are INVALID_ARGUMENT', () => {
  const withOrigins = (origins: string) =>
    embeddingsFile(header => {
      header['__metadata__'] = { space: 'e', wuerstchen: origins }
      return undefined
    })

  test('the file itself is sound', async () => {
    using embeddings = await Embeddings.load(embeddingsFile(() => undefined))
    expect(embeddings.tensor.shape).toEqual([1, 16, 3, 3])
  })

  test.each(DEEP)('%s as the header', async (_name, text) => {
    await expect(Embeddings.load(embeddingsFile(() => text))).rejects.toMatchObject({
      name: 'WuerstchenError',
      code: 'INVALID_ARGUMENT'
    })
  })

  test.each([
    ...DEEP,
    ['a nested origin', `[{"randomOffset":0,"origin":{"prompt":${nested(100_000)}}}]`],
    ['wrong timesteps', `[{"randomOffset":0,"origin":{"priorTimesteps":${many(4000).replaceAll('1', '2')}}}]`]
  ])('%s as the origins', async (_name, text) => {
    await expect(Embeddings.load(withOrigins(text))).rejects.toMatchObject({
      name: 'WuerstchenError',
      code: 'INVALID_ARGUMENT'
    })
  })

  test('a random offset above what any prior draws', async () => {
    const most = (1 + 2 * 1000) * 16 * 3 * 3
    using last = await Embeddings.load(withOrigins(`[{"randomOffset":${most},"origin":{}}]`))
    expect(last.randomOffsets).toEqual([most])
    for (const offset of [most + 1, Number.MAX_SAFE_INTEGER, 1e300, -1, 0.5])
      await expect(Embeddings.load(withOrigins(`[{"randomOffset":${offset},"origin":{}}]`))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT'
      })
  })

  test.each([
    [[2 ** 53 - 1, 2 ** 53 - 1, 0, 1]],
    [[2 ** 53 - 1, 2 ** 53 - 1, 1, 1]],
    [[0, 16, 3, 3]],
    [[16, 9]],
    [[1, 1, 1, 1, 1, 1, 1, 144]]
  ])('the shape %s', async shape => {
    const file = embeddingsFile(header => {
      header['embeddings'] = { dtype: 'F32', shape, data_offsets: [0, shape.includes(0) ? 0 : 576] }
      return undefined
    })
    await expect(Embeddings.load(file)).rejects.toMatchObject({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT' })
    expect(fake.liveTensors.size).toBe(0)
  })
})

describe('the bounds of parseJson', () => {
  const bounds = { depth: 3, values: 10, items: 4 }
  test.each(['[[[1]]]', '{"a":{"b":{"c":"[[[[{{{{,,,,,,"}}}', '["\\"[[[[,,,,,", "\\\\"]', '[1,2,3,4]', '"["', '7'])(
    '%s is within',
    text => {
      expect(parseJson(text, bounds)).toEqual(JSON.parse(text))
    }
  )

  test.each(['[[[[1]]]]', '[1,2,3,4,5]', '[[1,2,3,4],[1,2,3,4],[1,2]]', '["\\\\",[[[1]]]]'])('%s is outside', text => {
    expect(() => parseJson(text, bounds)).toThrow(SyntaxError)
  })

  test('every JSON within the bounds is what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), text => {
        expect(parseJson(text, { depth: 32, values: 100_000, items: 10_000 })).toEqual(JSON.parse(text))
      })
    )
  })
})

/** Every place of a value: what leads to it. */
function placesOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [path]
  return [
    path,
    ...Object.entries(value).flatMap(([key, item]) => placesOf(item, [...path, Array.isArray(value) ? Number(key) : key]))
  ]
}

const HOSTILE = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    -1,
    1e300,
    -1e300,
    1e-320,
    2 ** 53,
    2 ** 31,
    4096,
    0.5,
    null,
    true,
    '',
    'a',
    'a/b',
    'height/0',
    'height/99999999999',
    '../x',
    'a\0b',
    '\ud800',
    'x'.repeat(10_000),
    [],
    [[]],
    {},
    { a: 1 },
    [1, 2, 3],
    'prior',
    'int64',
    'float16',
    'constructor',
    '__proto__'
  ),
  fc.double(),
  fc.integer(),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 })
)
const KEYS = fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'then', 'valueOf', '0', '')

type Json = Record<string | number, unknown>

/** The value with one place changed, removed, doubled or renamed. */
function mutate(value: unknown, path: (string | number)[], kind: string, hostile: unknown, key: string): unknown {
  const last = path.at(-1)
  if (last === undefined) return hostile
  const parent = path.slice(0, -1).reduce<Json>((at, step) => at[step] as Json, value as Json)
  if (kind === 'remove') Array.isArray(parent) ? parent.splice(Number(last), 1) : delete parent[last]
  else if (kind === 'rename' && !Array.isArray(parent)) {
    Object.defineProperty(parent, key, { value: parent[last], enumerable: true, configurable: true, writable: true })
    delete parent[last]
  } else if (kind === 'double' && Array.isArray(parent)) parent.push(parent[Number(last)])
  else parent[last] = hostile
  return value
}

describe('a manifest of which anything was changed', () => {
  const KINDS = fc.constantFrom('set', 'set', 'set', 'remove', 'rename', 'double')
  const typed = (error: unknown) => {
    if (!WuerstchenError.is(error)) throw error
    expect(error.code).toMatch(/^MODEL_(INVALID|MISMATCH|NOT_FOUND)$/)
  }

  test('loads, or is refused with an error about the model', () =>
    withModelCopy(
      async directory => {
        const { readFileSync } = await import('node:fs')
        const file = join(directory, 'wuerstchen.json')
        const text = readFileSync(file, 'utf8')
        const places = placesOf(JSON.parse(text))
        let refused = 0
        await fc.assert(
          fc.asyncProperty(fc.nat(), KINDS, HOSTILE, KEYS, async (pick, kind, hostile, key) => {
            writeFileSync(
              file,
              JSON.stringify(mutate(JSON.parse(text), places[pick % places.length]!, kind, hostile, key)) ?? 'null'
            )
            await Pipeline.load(directory).then(
              pipeline => pipeline.dispose(),
              (error: unknown) => {
                refused++
                typed(error)
              }
            )
          }),
          { numRuns: 600 }
        )
        expect(refused).toBeGreaterThan(200)
      },
      join(root, 'models', 'tiny')
    ))

  test('and so is an index of compiled libraries', () =>
    withModelCopy(async directory => {
      fake.cpuCapability = 'AMX'
      const { readFileSync } = await import('node:fs')
      const file = join(directory, 'compiled', 'compiled.json')
      const text = readFileSync(file, 'utf8')
      const places = placesOf(JSON.parse(text))
      await fc.assert(
        fc.asyncProperty(fc.nat(), KINDS, HOSTILE, KEYS, async (pick, kind, hostile, key) => {
          writeFileSync(
            file,
            JSON.stringify(mutate(JSON.parse(text), places[pick % places.length]!, kind, hostile, key)) ?? 'null'
          )
          await Pipeline.load(directory).then(pipeline => pipeline.dispose(), typed)
        }),
        { numRuns: 300 }
      )
    }, compiledModel))
})

test('__proto__ in a manifest or an index changes nothing', () =>
  withModelCopy(async directory => {
    editManifest(directory, manifest => JSON.parse(JSON.stringify(manifest).replace('{', '{"__proto__":{"polluted":1},')))
    editIndex(directory, index => JSON.parse(JSON.stringify(index).replace('{', '{"__proto__":{"polluted":1},')))
    await readModel(directory)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    using _tensor = Tensor.from(new Float32Array(1), [1])
  }, compiledModel))
