import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Embeddings, Pipeline, Stage } from '../../lib/index.js'
import { captureImage } from '../../lib/image/input.js'
import { readSource } from '../../lib/image/source.js'
import { fake, useFakeNative } from '../support/fake.js'
import { compiledModel, withDirectory, withModelCopy } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()
beforeEach(() => {
  fake.cpuCapability = 'AMX'
})

/** What can stand in a file's place. Each is made under a path, and what is made is undone where that is needed. */
const THINGS: Record<string, (path: string) => Promise<(() => void) | undefined>> = {
  'a pipe': async path => {
    execFileSync('mkfifo', [path])
    return undefined
  },
  'a link to a pipe': async path => {
    execFileSync('mkfifo', [`${path}.pipe`])
    symlinkSync(`${path}.pipe`, path)
    return undefined
  },
  'a link to a device without end': async path => {
    symlinkSync('/dev/zero', path)
    return undefined
  },
  'a link to a device without bytes': async path => {
    symlinkSync('/dev/null', path)
    return undefined
  },
  'a directory': async path => {
    mkdirSync(path)
    return undefined
  },
  'a socket': async path => {
    const server = createServer().listen(path)
    await once(server, 'listening')
    return () => server.close()
  },
  'a file of 8 GiB': async path => {
    writeFileSync(path, '{')
    truncateSync(path, 8 * 1024 ** 3)
    return undefined
  },
  'a link to itself': async path => {
    symlinkSync(path, path)
    return undefined
  },
  'an empty file': async path => {
    writeFileSync(path, '')
    return undefined
  }
}

/** Puts a thing in a file's place, and expects an error of one of these codes, soon and without much memory. */
async function expectSoon(path: string, thing: string, codes: RegExp, load: (signal: AbortSignal) => Promise<unknown>) {
  rmSync(path, { force: true, recursive: true })
  const undo = await THINGS[thing]!(path)
  const { rss } = process.memoryUsage()
  const started = performance.now()
  try {
    const error: unknown = await load(AbortSignal.timeout(20_000)).then(
      () => undefined,
      (reason: unknown) => reason
    )
    expect(error).toMatchObject({ name: 'WuerstchenError', code: expect.stringMatching(codes) })
    // It was refused for what it is, and not for what could be read from it.
    if (/pipe|device|socket/.test(thing)) expect((error as Error).message).toMatch(/not a plain file$|leads out of it$/)
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(process.memoryUsage().rss - rss).toBeLessThan(300 * 2 ** 20)
  } finally {
    undo?.()
  }
}

const MODEL = /^MODEL_(INVALID|NOT_FOUND)$/

describe.each(Object.keys(THINGS))('%s is refused before it is opened', thing => {
  test.each([
    'wuerstchen.json',
    'compiled/compiled.json',
    'prior_tokenizer.json',
    'prior.float32.cpu.pt',
    'compiled/prior-step.so'
  ])('as %s of a model', file =>
    withModelCopy(async directory => {
      const path = join(directory, file)
      const name = file.endsWith('.so') ? libraryOf(directory) : path
      await expectSoon(name, thing, MODEL, signal => Pipeline.load(directory, { signal }))
      expect(fake.engines).toHaveLength(0)
    }, compiledModel)
  )

  test('as a stage', () =>
    withDirectory(async directory => {
      const functions = { forward: { inputs: [], outputs: [{ name: 'y', dtype: 'float32' as const, shape: [1] }] } }
      const path = join(directory, 'program.pt')
      if (thing === 'an empty file' || thing === 'a file of 8 GiB') return
      await expectSoon(path, thing, MODEL, () => Stage.load(path, { functions }))
    }))

  test('as embeddings and as an image', () =>
    withDirectory(async directory => {
      const path = join(directory, 'file')
      await expectSoon(path, thing, /^INVALID_ARGUMENT$/, () => Embeddings.load(path))
      rmSync(`${path}.pipe`, { force: true })
      await expectSoon(path, thing, /^INVALID_ARGUMENT$/, () => readSource(captureImage('image', path)))
    }))
})

/** A library that this machine's index names, whatever its instruction set is. */
function libraryOf(directory: string): string {
  return execFileSync('sh', ['-c', `ls ${directory}/compiled/prior-step*.so`], { encoding: 'utf8' }).trim()
}

test('an abort ends a load while files are hashed', () =>
  withModelCopy(async directory => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const load = Pipeline.load(directory, { signal: controller.signal, onProgress: () => controller.abort(reason) })
    await expect(load).rejects.toBe(reason)
    expect(fake.engines).toHaveLength(0)
  }))

/** Whether a descriptor is one of a file in the directory. It may be closed by now. */
function leadsInto(directory: string, descriptor: string): boolean {
  try {
    return readlinkSync(descriptor).startsWith(directory)
  } catch {
    return false
  }
}

describe('what the addon gets is what was hashed', () => {
  test('an open descriptor with a stamp, and the bytes of libraries, closed when the addon has them', () =>
    withModelCopy(async directory => {
      const { fstatSync } = await import('node:fs')
      const { createHash } = await import('node:crypto')
      const given: { fd: number }[] = []
      const create = fake.native.createEngine.bind(fake.native)
      vi.spyOn(fake.native, 'createEngine').mockImplementation((spec, onProgress) => {
        for (const { fd, stamp } of Object.values(spec.programs)) {
          const { dev, ino, size, mtimeNs } = fstatSync(fd, { bigint: true })
          expect(stamp).toBe([dev, ino, size, mtimeNs].join())
          given.push({ fd })
        }
        const library = spec.programs.prior!.libraries!['step']!
        expect(createHash('sha256').update(library.bytes).digest('hex')).toBe(library.sha256)
        return create(spec, onProgress)
      })
      await using _pipeline = await Pipeline.load(directory)
      expect(given).toHaveLength(8)
      for (const { fd } of given) expect(() => fstatSync(fd)).toThrow('EBADF')
    }, compiledModel))

  test('without verification libraries have their hash as well', () =>
    withModelCopy(async directory => {
      const file = libraryOf(directory)
      writeFileSync(file, 'no library')
      await using _pipeline = await Pipeline.load(directory, { verify: false })
      const { sha256, bytes } = fake.engines[0]!.spec.programs.prior!.libraries!['step']!
      expect(Buffer.from(bytes).toString()).toBe('no library')
      // sha256sum of these ten bytes.
      expect(sha256).toBe('a3bba07ee4d772d46d0f99f83549f754e8d42a91d4e258970547e29b0eb35101')
    }, compiledModel))

  test('descriptors of a load that fails are closed', () =>
    withModelCopy(async directory => {
      // Those of this directory alone: other parts of the process open and close theirs meanwhile.
      const open = () => readdirSync('/proc/self/fd').filter(fd => leadsInto(directory, `/proc/self/fd/${fd}`))
      vi.spyOn(fake.native, 'createEngine').mockRejectedValue(new Error('no'))
      for (let time = 0; time < 5; time++) await expect(Pipeline.load(directory)).rejects.toThrow('no')
      truncateSync(join(directory, 'vqDecoder.float32.cpu.pt'), 10)
      for (let time = 0; time < 5; time++) await expect(Pipeline.load(directory)).rejects.toThrow('10')
      expect(open()).toEqual([])
    }))
})
