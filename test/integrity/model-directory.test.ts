import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Pipeline, Stage } from '../../lib/index.js'
import { fake, useFakeNative } from '../support/fake.js'
import { editManifest } from '../support/model-files.js'
import { expectRefused } from '../support/refused.js'
import { smallModel, withModelCopy } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

/** What a float32 pipeline on the CPU reads. */
const used = readdirSync(smallModel).filter(file =>
  /tokenizer|^(priorTextEncoder|prior|decoderTextEncoder|decoder|vqDecoder)\.float32\.cpu\.pt$/.test(file)
)

type Manifest = { stages: Record<string, { artefacts: Record<string, unknown>[] }> } & Record<string, unknown>

describe('a file that differs from its manifest never reaches LibTorch', () => {
  test('the untouched copy loads', () =>
    withModelCopy(async directory => {
      await using pipeline = await Pipeline.load(directory)
      expect(pipeline.model.name).toBe('small-random')
      expect(used).toHaveLength(7)
    }))

  test('any flipped bit of any file', () =>
    withModelCopy(async directory => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...used),
          fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
          fc.nat(7),
          async (name, at, bit) => {
            const file = join(directory, name)
            const bytes = readFileSync(file)
            bytes[Math.floor(at * bytes.length)]! ^= 1 << bit
            writeFileSync(file, bytes)
            try {
              await expectRefused(
                directory,
                'MODEL_INVALID',
                new RegExp(`^Expected sha256 [0-9a-f]{64} for the model file ${name} .* but received [0-9a-f]{64}$`)
              )
            } finally {
              copyFileSync(join(smallModel, name), file)
            }
          }
        ),
        { numRuns: 100 }
      )
    }))

  test('any truncation, and any byte more', () =>
    withModelCopy(async directory => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...used), fc.double({ min: 0, max: 1, noNaN: true }), async (name, share) => {
          const file = join(directory, name)
          const { size } = statSync(file)
          const length = share === 1 ? size + 1 : Math.floor(share * size)
          truncateSync(file, length)
          try {
            await expectRefused(
              directory,
              'MODEL_INVALID',
              new RegExp(`^Expected ${size} bytes for the model file ${name} .* but received ${length}$`)
            )
          } finally {
            copyFileSync(join(smallModel, name), file)
          }
        }),
        { numRuns: 40 }
      )
    }))

  test.each(used)('a missing %s', name =>
    withModelCopy(async directory => {
      rmSync(join(directory, name))
      await expectRefused(directory, 'MODEL_NOT_FOUND', new RegExp(`${name}.*ENOENT`))
    })
  )

  test('stages that changed places', () =>
    withModelCopy(async directory => {
      renameSync(join(directory, 'prior.float32.cpu.pt'), join(directory, 'swap'))
      renameSync(join(directory, 'decoder.float32.cpu.pt'), join(directory, 'prior.float32.cpu.pt'))
      renameSync(join(directory, 'swap'), join(directory, 'decoder.float32.cpu.pt'))
      await expectRefused(directory, 'MODEL_INVALID', /bytes for the model file prior.float32.cpu.pt/)
    }))

  test('a change with the old size and modification time, after the file was found right', () =>
    withModelCopy(async directory => {
      await using _loaded = await Pipeline.load(directory)
      const file = join(directory, 'prior.float32.cpu.pt')
      const { atime, mtime } = statSync(file)
      const bytes = readFileSync(file)
      bytes[bytes.length >> 1]! ^= 1
      writeFileSync(file, bytes)
      utimesSync(file, atime, mtime)
      await expectRefused(directory, 'MODEL_INVALID', /sha256/)
    }))

  test("a directory or a link out of the model in a file's place", () =>
    withModelCopy(async directory => {
      const file = join(directory, 'prior.float32.cpu.pt')
      rmSync(file)
      symlinkSync(join(smallModel, 'prior.float32.cpu.pt'), file)
      await expectRefused(directory, 'MODEL_INVALID', /inside .* but it leads out of it/)
      rmSync(file)
      mkdirSync(file)
      await expectRefused(directory, 'MODEL_INVALID', /Expected a plain file/)
    }))

  test('a link within the model is followed', () =>
    withModelCopy(async directory => {
      renameSync(join(directory, 'prior.float32.cpu.pt'), join(directory, 'elsewhere.pt'))
      symlinkSync('elsewhere.pt', join(directory, 'prior.float32.cpu.pt'))
      await using pipeline = await Pipeline.load(directory)
      expect(pipeline.disposed).toBe(false)
    }))

  test('a single stage is checked the same way', () =>
    withModelCopy(async directory => {
      const file = join(directory, 'prior.float32.cpu.pt')
      truncateSync(file, 100)
      const load = vi.spyOn(fake.native, 'loadStage')
      await expect(Stage.load(file)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
      expect(load).not.toHaveBeenCalled()
    }))

  test('verify: false is the only way around', () =>
    withModelCopy(async directory => {
      truncateSync(join(directory, 'prior.float32.cpu.pt'), 100)
      await using pipeline = await Pipeline.load(directory, { verify: false })
      expect(pipeline.disposed).toBe(false)
    }))
})

describe('a manifest that this version cannot read is refused', () => {
  const artefact = (manifest: Manifest) => manifest.stages['prior']!.artefacts.find(({ dtype }) => dtype === 'float32')!

  test.each<[string, (manifest: Manifest) => unknown, RegExp]>([
    [
      'another format',
      manifest => {
        manifest['formatVersion'] = 2
      },
      /formatVersion is 2, this version reads 1/
    ],
    [
      'no format',
      manifest => {
        delete manifest['formatVersion']
      },
      /formatVersion is undefined/
    ],
    ['a list', () => [], /formatVersion is undefined/],
    ['null', () => 'null', /formatVersion/],
    [
      'missing constants',
      manifest => {
        delete manifest['constants']
      },
      /constants/
    ],
    [
      'constants that are no numbers',
      manifest => {
        ;(manifest['constants'] as Record<string, unknown>)['latentMean'] = '42'
      },
      /constants\.latentMean/
    ],
    [
      'sizes that no picture has',
      manifest => {
        ;(manifest['constants'] as Record<string, unknown>)['latentDimScale'] = 1e-300
      },
      /constants\.latentDimScale/
    ],
    [
      'noise levels that rise',
      manifest => {
        ;(manifest['defaults'] as Record<string, unknown>)['priorTimesteps'] = [0, 1]
      },
      /descending noise levels/
    ],
    [
      'a file outside',
      manifest => {
        artefact(manifest)['file'] = '../prior.float32.cpu.pt'
      },
      /plain relative file name/
    ],
    [
      'an absolute file',
      manifest => {
        artefact(manifest)['file'] = '/etc/passwd'
      },
      /plain relative file name/
    ],
    [
      'a hidden step out',
      manifest => {
        artefact(manifest)['file'] = 'a/../../b'
      },
      /plain relative file name/
    ],
    [
      'a backslash',
      manifest => {
        artefact(manifest)['file'] = 'a\\b'
      },
      /plain relative file name/
    ],
    [
      'a zero byte',
      manifest => {
        artefact(manifest)['file'] = 'a\0b'
      },
      /plain relative file name/
    ],
    [
      'a short hash',
      manifest => {
        artefact(manifest)['sha256'] = 'abc'
      },
      /64 lower-case hexadecimal digits/
    ],
    [
      'a negative size',
      manifest => {
        artefact(manifest)['size'] = -1
      },
      /size/
    ],
    [
      'an unknown kind',
      manifest => {
        artefact(manifest)['kind'] = 'pickle'
      },
      /kind/
    ],
    [
      "a library in a program's place",
      manifest => {
        artefact(manifest)['kind'] = 'aoti'
      },
      /kind/
    ],
    [
      'an unknown dtype',
      manifest => {
        artefact(manifest)['dtype'] = 'float8'
      },
      /dtype/
    ]
  ])('%s', (_name, edit, message) =>
    withModelCopy(async directory => {
      editManifest(directory, edit)
      await expectRefused(directory, 'MODEL_INVALID', message)
    })
  )

  test('bytes that are no JSON', () =>
    withModelCopy(async directory => {
      writeFileSync(join(directory, 'wuerstchen.json'), '{"formatVersion": 1')
      await expectRefused(directory, 'MODEL_INVALID', /it is not JSON/)
    }))

  test.each(['', '/nowhere/at/all', smallModel + '/wuerstchen.json', 'a\0b'])('no model at %j', async path => {
    await expectRefused(path, 'MODEL_NOT_FOUND', /wuerstchen\.json|zero byte/)
  })
})

describe('a manifest that describes a stage as another program is refused', () => {
  type Described = { inputs: { name: string }[]; outputs: { name: string }[] }
  const functions = (manifest: Manifest, stage: string) =>
    manifest.stages[stage]!.artefacts.find(({ dtype }) => dtype === 'float32')!['functions'] as Record<string, Described>

  test.each<[string, (manifest: Manifest) => unknown, RegExp]>([
    [
      'without step',
      manifest => {
        delete functions(manifest, 'prior')['step']
      },
      /^Expected the function step .* for the stage prior but prior\.float32\.cpu\.pt has only condition$/
    ],
    [
      'without condition',
      manifest => {
        delete functions(manifest, 'decoder')['condition']
      },
      /Expected the function condition with the inputs latents, embeddings, text/
    ],
    [
      'with an input less',
      manifest => {
        functions(manifest, 'prior')['step']!.inputs.pop()
      },
      /inputs latents, ratio, kv .* has step with latents, ratio$/
    ],
    [
      'with an output of the condition less',
      manifest => {
        functions(manifest, 'decoder')['condition']!.outputs.pop()
      },
      /Expected the function step/
    ],
    [
      'with a step that gives nothing',
      manifest => {
        functions(manifest, 'prior')['step']!.outputs = []
      },
      /^Expected the function step with the output noise for the stage prior/
    ],
    [
      'with another scale of Stage A',
      manifest => {
        ;(manifest as unknown as { constants: Record<string, unknown> }).constants['pixelsPerLatent'] = 8
      },
      /^Expected a scale of 8, which is pixelsPerLatent, for the stage vqDecoder but forward gives \(height\*4, width\*4\)$/
    ],
    [
      'with inputs in another order',
      manifest => {
        functions(manifest, 'priorTextEncoder')['forward']!.inputs.reverse()
      },
      /inputs ids, mask .* has forward with mask, ids$/
    ],
    [
      'as another stage',
      manifest => {
        manifest.stages['vqDecoder'] = manifest.stages['vqEncoder']!
      },
      /stage vqDecoder but vqEncoder/
    ]
  ])('%s', (_name, edit, message) =>
    withModelCopy(async directory => {
      editManifest(directory, edit)
      await expectRefused(directory, 'MODEL_INVALID', message)
    })
  )
})

describe('a sound model that does not fit is a mismatch that names both sides', () => {
  test.each<[string, (artefact: Record<string, unknown>) => void, RegExp]>([
    [
      'an instruction set that this CPU lacks',
      artefact => {
        artefact['isa'] = 'AVX512'
      },
      /needs AVX512, this CPU has AVX2/
    ],
    [
      'an unknown instruction set',
      artefact => {
        artefact['isa'] = 'SVE3'
      },
      /needs SVE3, this CPU has AVX2/
    ],
    [
      'a newer LibTorch',
      artefact => {
        artefact['leastTorch'] = '2.99'
      },
      /needs LibTorch 2\.99, this one is 2\.13\.0/
    ]
  ])('%s', (_name, edit, message) =>
    withModelCopy(async directory => {
      editManifest(directory, (manifest: Manifest) => {
        manifest.stages['decoder']!.artefacts.forEach(edit)
      })
      await expectRefused(directory, 'MODEL_MISMATCH', message)
    })
  )

  test('a stage that is not there', () =>
    withModelCopy(async directory => {
      editManifest(directory, (manifest: Manifest) => {
        delete manifest.stages['vqDecoder']
      })
      await expectRefused(directory, 'MODEL_MISMATCH', /Expected a model with vqDecoder for cpu but the model has none/)
    }))

  test('a dtype that was asked for', () =>
    withModelCopy(async directory => {
      editManifest(directory, (manifest: Manifest) => {
        manifest.stages['prior']!.artefacts = manifest.stages['prior']!.artefacts.filter(({ dtype }) => dtype === 'float32')
      })
      await expect(Pipeline.load(directory, { dtype: 'bfloat16' })).rejects.toMatchObject({
        code: 'MODEL_MISMATCH',
        message: expect.stringMatching(/prior for cpu in bfloat16 but it has prior\.float32\.cpu\.pt: float32/)
      })
    }))
})
