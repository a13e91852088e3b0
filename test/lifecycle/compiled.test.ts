import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { Pipeline, Stage, Tensor } from '../../lib/index.js'
import { loadAddon } from '../../lib/load/addon.js'
import { relativeDifference } from '../parity/reference.js'
import { editIndex } from '../support/model-files.js'
import { compiledModel, QUICK, smallModel, withDirectory, withModelCopy } from '../support/small-model.js'

const FILE = join(compiledModel, 'vqDecoder.float32.cpu.pt')
/** Relative to the largest value; another order of the same sums. */
const TOLERANCE = 5e-5

const load = (kind: 'torchscript' | 'aoti') => Stage.load(FILE, { kind, threads: 1 })

function latents(...shape: [number, number, number, number]): Tensor {
  return Tensor.from(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) => Math.sin(index)),
    shape
  )
}

/** The libraries that this process has mapped: each is in memory under the name of its hash. */
function mapped(): Set<string> {
  return new Set(readFileSync('/proc/self/maps', 'utf8').match(/(?<=memfd:wuerstchen-)[0-9a-f]{64}/g) ?? [])
}

interface Library {
  file: string
  size: number
  sha256: string
}

function editLibrary(directory: string, stage: string, edit: (library: Library) => void): Library {
  let edited: Library | undefined
  editIndex(directory, (index: { artefacts: { stage: string; libraries: Record<string, Library> }[] }) => {
    ;[edited] = Object.values(index.artefacts.find(entry => entry.stage === stage)!.libraries)
    edit(edited!)
  })
  return edited!
}

/** Writes a library with its size and hash. */
function writeLibrary(directory: string, library: Library, bytes: Buffer): void {
  writeFileSync(join(directory, library.file), bytes)
  Object.assign(library, { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
}

describe('a stage with compiled libraries', () => {
  test.each([
    [1, 8, 8],
    [2, 8, 16],
    [3, 7, 5],
    [16, 4, 4],
    [17, 4, 4],
    [1, 1, 3]
  ] as const)(
    'gives what its program gives for %i × 4 × %i × %i, inside and outside its limits',
    async (...[batch, height, width]) => {
      await using compiled = await load('aoti')
      await using program = await load('torchscript')
      const input = latents(batch, 4, height, width)
      const [[actual], [expected]] = await Promise.all([compiled.run([input]), program.run([input])])
      expect(await relativeDifference(actual!, expected!)).toBeLessThan(TOLERANCE)
    }
  )

  test('refuses what does not fit, and goes on', async () => {
    await using stage = await load('aoti')
    const wrong = [
      [Tensor.from(new Float64Array(256), [1, 4, 8, 8])],
      [Tensor.from(new Float32Array(256), [4, 8, 8])],
      [Tensor.from(new Float32Array(128), [1, 2, 8, 8])],
      [Tensor.from(new Int32Array(256), [1, 4, 8, 8])],
      []
    ]
    // All at once: a run that fails must not keep the next one waiting.
    for (const outcome of await Promise.allSettled(wrong.map(inputs => stage.run(inputs)))) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_ARGUMENT' } })
    }
    expect((await stage.run([latents(1, 4, 8, 8)]))[0]!.shape).toEqual([1, 3, 32, 32])
  })

  test('a thousand runs on eight stages at once, three in ten of them refused: every one of them ends, and ends right', async () => {
    const stages = await Promise.all(Array.from({ length: 8 }, () => load('aoti')))
    const right = latents(1, 4, 8, 8)
    const wrong = [latents(1, 2, 8, 8), Tensor.from(new Float32Array(256), [4, 8, 8])]
    const [expected] = await stages[0]!.run([right])
    const pixels = await expected!.data()
    const isWrong = (index: number) => [1, 4, 8].includes(index % 10)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 1000 }, (_, index) => stages[index % 8]!.run([isWrong(index) ? wrong[index % 2]! : right]))
    )
    for (const [index, outcome] of outcomes.entries()) {
      if (isWrong(index)) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_ARGUMENT' } })
      else expect(await (outcome as PromiseFulfilledResult<Tensor[]>).value[0]!.data()).toEqual(pixels)
    }
    await Promise.all(stages.map(stage => stage.dispose()))
  })

  test('loads many times at once', async () => {
    const stages = await Promise.all(Array.from({ length: 8 }, () => load('aoti')))
    const input = latents(1, 4, 8, 8)
    const outputs = await Promise.all(stages.map(async stage => (await stage.run([input]))[0]!))
    for (const output of outputs) expect(await output.data()).toEqual(await outputs[0]!.data())
    await Promise.all(stages.map(stage => stage.dispose()))
  })

  test('is gone after fifty lives, with what it mapped and no file left', () =>
    withModelCopy(
      async directory =>
        withDirectory(async temporary => {
          vi.stubEnv('TMPDIR', temporary)
          const before = mapped().size
          for (let life = 0; life < 50; life++) {
            // Other bytes each time, as after an export: what follows the last section is not looked at.
            const library = editLibrary(directory, 'vqDecoder', described => {
              const bytes = Buffer.concat([readFileSync(join(directory, described.file)), Buffer.from([life])])
              writeLibrary(directory, described, bytes)
            })
            await using stage = await Stage.load(join(directory, 'vqDecoder.float32.cpu.pt'), { kind: 'aoti', threads: 1 })
            await stage.run([latents(1, 4, 8, 8)])
            expect([...mapped()]).toContain(library.sha256) // else nothing was measured
          }
          // The dynamic linker unmaps a library when the next one is closed after its thread has ended.
          expect(mapped().size - before).toBeLessThanOrEqual(2)
          expect(readdirSync(temporary)).toEqual([])
          vi.unstubAllEnvs()
        }),
      compiledModel
    ))

  // LibTorch keeps a reference to each weight of a library for ever: a pipeline's weights would never go.
  test('leaves none of its weights in memory', async () => {
    const held = () => loadAddon().liveObjects()['weights']!
    const before = held()
    const stages = await Promise.all([load('aoti'), load('aoti')])
    await stages[0]!.run([latents(1, 4, 8, 8)])
    expect(held()).toBeGreaterThan(before)
    await Promise.all(stages.map(stage => stage.dispose()))
    expect(held()).toBe(before)
  })

  test('is the one of several that fits this machine', () =>
    withModelCopy(async directory => {
      const file = join(directory, 'vqDecoder.float32.cpu.pt')
      const foreign = [{ isa: 'AVX4096' }, { device: 'cuda', isa: null, gpuArch: '9.0' }]
      editIndex(directory, (index: { artefacts: object[] }) => {
        index.artefacts = index.artefacts.flatMap(entry => [...foreign.map(facts => ({ ...entry, ...facts })), entry])
      })
      await using stage = await Stage.load(file, { kind: 'aoti', threads: 1 })
      await stage.run([latents(1, 4, 8, 8)])
      editIndex(directory, (index: { artefacts: object[] }) => {
        index.artefacts = index.artefacts.flatMap(entry => foreign.map(facts => ({ ...entry, ...facts })))
      })
      await expect(Stage.load(file, { kind: 'aoti', device: 'cpu' })).rejects.toMatchObject({
        ...{ code: 'MODEL_MISMATCH', subject: 'vqDecoder.float32.cpu.pt' },
        message: expect.stringMatching(/needs AVX4096, this CPU has .*; .*made for cuda, not cpu/)
      })
    }, compiledModel))

  test('is refused where there are none', async () => {
    await expect(Stage.load(join(smallModel, 'vqDecoder.float32.cpu.pt'), { kind: 'aoti' })).rejects.toMatchObject({
      code: 'MODEL_MISMATCH'
    })
  })
})

describe('what is no library', () => {
  test('falls back to the program, and says why', () =>
    withModelCopy(async directory => {
      const library = editLibrary(directory, 'decoder', described =>
        writeLibrary(directory, described, Buffer.from('not a library'))
      )
      await using pipeline = await Pipeline.load(directory, { threads: 1 })
      const decoder = pipeline.artefacts.find(({ stage }) => stage === 'decoder')!
      expect(decoder.kind).toBe('torchscript')
      expect(decoder.rejected).toContainEqual({
        file: library.file,
        reason: expect.stringMatching(/^Expected a compiled library in .* but LibTorch said: /)
      })
      expect(pipeline.artefacts.find(({ stage }) => stage === 'prior')!.kind).toBe('aoti')
      expect((await pipeline.generate(QUICK)).images).toHaveLength(1)
    }, compiledModel))

  // The system would map it, and end the process with SIGBUS.
  test('is refused where its end is missing, whatever its hash', () =>
    withModelCopy(async directory => {
      const library = editLibrary(directory, 'vqDecoder', described => {
        const bytes = readFileSync(join(directory, described.file))
        writeLibrary(directory, described, bytes.subarray(0, bytes.length / 2))
      })
      await expect(Stage.load(join(directory, 'vqDecoder.float32.cpu.pt'), { kind: 'aoti' })).rejects.toMatchObject({
        ...{ code: 'MODEL_INVALID', subject: expect.stringContaining(library.file) },
        message: expect.stringContaining('its end is missing')
      })
    }, compiledModel))

  // The dynamic linker knows libraries by their paths, and keeps them as long as a thread lives that has run them.
  test('a library that was replaced in a process that has run the old one is the new one', () =>
    withModelCopy(async directory => {
      const kinds = async () => {
        await using pipeline = await Pipeline.load(directory, { threads: 1 })
        await pipeline.generate(QUICK)
        return Object.fromEntries(pipeline.artefacts.map(({ stage, kind }) => [stage, kind]))
      }
      expect(await kinds()).toMatchObject({ prior: 'aoti', decoder: 'aoti', vqDecoder: 'aoti' })
      editLibrary(directory, 'decoder', library => writeLibrary(directory, library, Buffer.from('no library')))
      const prior = join(directory, editLibrary(directory, 'prior', () => {}).file)
      editLibrary(directory, 'vqDecoder', library => writeLibrary(directory, library, readFileSync(prior)))
      expect(await kinds()).toMatchObject({ prior: 'aoti', decoder: 'torchscript', vqDecoder: 'torchscript' })
    }, compiledModel))

  // LibTorch's loader of .pt2 files runs the command it finds in one that has no library; ours never calls it.
  test('a package with a command instead of a library runs nothing', () =>
    withDirectory(async directory => {
      const canary = join(directory, 'canary')
      const file = join(directory, 'package.pt2')
      const flags = JSON.stringify({
        compiler: `touch ${canary};`,
        ...Object.fromEntries(
          ['definitions', 'include_dirs', 'cflags', 'ldflags', 'libraries_dirs', 'libraries', 'passthrough_args'].map(name => [
            name,
            []
          ])
        ),
        ...Object.fromEntries(
          ['compile_only', 'use_relative_path', 'use_absolute_path', 'use_mmap_weights'].map(name => [name, false])
        ),
        aot_mode: true,
        device_type: 'cpu'
      })
      writeFileSync(
        file,
        storedZip({
          'package/archive_format': 'pt2',
          'package/byteorder': 'little',
          'package/version': '0',
          'package/data/aotinductor/model/model.cpp': 'int main() {}',
          'package/data/aotinductor/model/model_compile_flags.json': flags,
          'package/data/aotinductor/model/model_linker_flags.json': flags,
          'package/data/aotinductor/model/model_metadata.json': JSON.stringify({ AOTI_DEVICE_KEY: 'cpu' })
        })
      )
      const functions = { forward: { inputs: [], outputs: [{ name: 'x', dtype: 'float32' as const, shape: [1] }] } }
      await expect(Stage.load(file, { functions })).rejects.toMatchObject({ code: 'MODEL_INVALID' })
      await expect(Stage.load(file, { functions, kind: 'aoti' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(existsSync(canary)).toBe(false)
      // That it is the file that would do it: LibTorch's own loader does run its command.
      const load =
        "import sys, torch\ntry: torch._C._aoti.AOTIModelPackageLoader(sys.argv[1], 'model', False, 1, -1)\nexcept RuntimeError: pass"
      spawnSync(process.env['WUERSTCHEN_TEST_PYTHON'] ?? 'python3', ['-c', load, file], {
        env: { ...process.env, TMPDIR: directory }
      })
      expect(existsSync(canary)).toBe(true)
    }))
})

/** A zip archive without compression, as LibTorch writes them. */
function storedZip(files: Record<string, string>): Buffer {
  const [parts, directory]: [Buffer[], Buffer[]] = [[], []]
  let offset = 0
  for (const [name, text] of Object.entries(files)) {
    const [path, data] = [Buffer.from(name), Buffer.from(text)]
    const header = Buffer.alloc(26)
    header.writeUInt16LE(20, 0)
    header.writeUInt32LE(crc32(data), 10)
    header.writeUInt32LE(data.length, 14)
    header.writeUInt32LE(data.length, 18)
    header.writeUInt16LE(path.length, 22)
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), header, path, data])
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), header, tail, path]))
    parts.push(local)
    offset += local.length
  }
  const listing = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(parts.length, 8)
  end.writeUInt16LE(parts.length, 10)
  end.writeUInt32LE(listing.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listing, end])
}

function crc32(data: Buffer): number {
  let crc = ~0
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
