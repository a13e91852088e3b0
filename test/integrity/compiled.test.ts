import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Pipeline } from '../../lib/index.js'
import { fake, useFakeNative } from '../support/fake.js'
import { editIndex } from '../support/model-files.js'
import { expectRefused } from '../support/refused.js'
import { compiledModel, withModelCopy } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()
// The libraries were compiled on this machine, for its own instruction set.
beforeEach(() => {
  fake.cpuCapability = compiledFor
})

type Entry = {
  stage: string
  program: { sha256: string }
  torch: string
  leastTorch?: string
  device: string
  isa: string | null
} & Record<string, unknown>
type Index = { formatVersion: number; artefacts: Entry[] }

const compiledFor = (JSON.parse(readFileSync(join(compiledModel, 'compiled', 'compiled.json'), 'utf8')) as Index).artefacts[0]!
  .isa!
const libraries = readdirSync(join(compiledModel, 'compiled')).filter(file => file.endsWith('.so'))

const withCompiledCopy = (body: (directory: string) => Promise<void>) => withModelCopy(body, compiledModel)

describe('a library that differs from its index never reaches LibTorch', () => {
  test('the untouched copy is used', () =>
    withCompiledCopy(async directory => {
      await using pipeline = await Pipeline.load(directory)
      expect(pipeline.artefacts.filter(({ kind }) => kind === 'aoti').map(({ stage }) => stage)).toEqual([
        'prior',
        'decoder',
        'vqDecoder'
      ])
    }))

  test.each(libraries)('one flipped bit of %s', name =>
    withCompiledCopy(async directory => {
      const file = join(directory, 'compiled', name)
      const bytes = readFileSync(file)
      bytes[bytes.length >> 1]! ^= 1
      writeFileSync(file, bytes)
      await expectRefused(
        directory,
        'MODEL_INVALID',
        new RegExp(`Expected sha256 [0-9a-f]{64} for the model file compiled/${name}`)
      )
    })
  )

  test('a truncated one, and one that is gone', () =>
    withCompiledCopy(async directory => {
      const file = join(directory, 'compiled', libraries[0]!)
      truncateSync(file, 4096)
      await expectRefused(directory, 'MODEL_INVALID', /bytes for the model file compiled\/.* but received 4096/)
      rmSync(file)
      await expectRefused(directory, 'MODEL_NOT_FOUND', /ENOENT/)
    }))

  test.each<[string, (index: Index) => unknown, RegExp]>([
    [
      'another format',
      index => {
        index.formatVersion = 3
      },
      /formatVersion/
    ],
    [
      'a file outside',
      index => {
        ;(index.artefacts[0]!['libraries'] as Record<string, Record<string, unknown>>)['step'] = {
          file: '../x.so',
          size: 1,
          sha256: '0'.repeat(64),
          limits: {}
        }
      },
      /plain relative file name/
    ],
    [
      'a library for another function',
      index => {
        const libraries = index.artefacts[0]!['libraries'] as Record<string, unknown>
        libraries['condition'] = libraries['step']
        delete libraries['step']
      },
      /Expected limits for batch, text, the dimensions of condition/
    ],
    ['no list', () => ({}), /fields are wrong/]
  ])('an index with %s', (_name, edit, message) =>
    withCompiledCopy(async directory => {
      editIndex(directory, edit)
      await expectRefused(directory, 'MODEL_INVALID', message)
    })
  )
})

describe('libraries that do not fit are left out, and the choice says why', () => {
  test.each<[string, (entry: Entry) => void, RegExp]>([
    [
      'a LibTorch that is too old',
      entry => {
        entry.leastTorch = '2.99'
      },
      /^needs LibTorch 2\.99, this one is 2\.\d+\.\d+$/
    ],
    [
      'a torch that is not supported yet',
      entry => {
        delete entry.leastTorch
        entry.torch = '2.99.0'
      },
      /^needs LibTorch 2\.99, this one is 2\.\d+\.\d+$/
    ],
    [
      'a missing instruction set',
      entry => {
        entry.isa = 'AMX'
      },
      /^needs AMX, this CPU has (DEFAULT|AVX2|AVX512)$/
    ],
    [
      'another device',
      entry => {
        entry.device = 'cuda'
        entry.isa = null
      },
      /^made for cuda, not cpu$/
    ],
    [
      'another program',
      entry => {
        entry.program.sha256 = '0'.repeat(64)
      },
      /^compiled for another prior\.float32\.cpu\.pt: compile again$/
    ]
  ])('%s', (_name, edit, reason) =>
    withCompiledCopy(async directory => {
      editIndex(directory, (index: Index) => {
        index.artefacts.filter(({ stage }) => stage === 'prior').forEach(edit)
      })
      await using pipeline = await Pipeline.load(directory)
      const prior = pipeline.artefacts.find(({ stage }) => stage === 'prior')!
      expect(prior.kind).toBe('torchscript')
      expect(prior.rejected).toContainEqual({
        file: expect.stringMatching(/^compiled\/prior-step/),
        reason: expect.stringMatching(reason)
      })
      expect(pipeline.artefacts.find(({ stage }) => stage === 'decoder')!.kind).toBe('aoti')
    })
  )

  test.each(['2.11.0', '2.15.0'])('not those that torch %s made, with a manifest that does not say the oldest', torch =>
    withCompiledCopy(async directory => {
      editIndex(directory, (index: Index) => {
        for (const entry of index.artefacts) {
          delete entry.leastTorch
          entry.torch = torch
        }
      })
      await using pipeline = await Pipeline.load(directory)
      expect(pipeline.artefacts.find(({ stage }) => stage === 'prior')!.kind).toBe('aoti')
    })
  )

  test('of another format are refused, and the error names the index', () =>
    withCompiledCopy(async directory => {
      editIndex(directory, (index: Index) => {
        index.formatVersion = 1
      })
      await expect(Pipeline.load(directory)).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        subject: join(directory, 'compiled', 'compiled.json')
      })
    }))
})
