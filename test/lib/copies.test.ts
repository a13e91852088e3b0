import { createHash } from 'node:crypto'
import { cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScript } from '../support/child.js'
import { editIndex } from '../support/model-files.js'
import { compiledModel, root, withModelCopy } from '../support/small-model.js'

/**
 * Two copies of the package in one process, as with a test runner that resets its modules, a bundler, or a package that is
 * installed twice. They share the addon, because a process loads a file once.
 */

const copy = join(root, 'build', 'second-copy')

beforeAll(() => {
  rmSync(copy, { recursive: true, force: true })
  for (const name of ['dist', 'package.json', 'tsconfig.build.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  for (const name of ['build', 'models', 'node_modules']) symlinkSync(join(root, name), join(copy, name))
})
afterAll(() => rmSync(copy, { recursive: true, force: true }))

/** @param warnings codes of the package's warnings that belong to it, each as often as it comes */
async function inBoth(script: string, warnings: readonly string[] = []): Promise<unknown> {
  const second = JSON.stringify(join(copy, 'dist', 'index.js'))
  const { code, stdout, stderr } = await runScript(`
    const second = await import(${second})
    const failure = async work => { try { await work(); return 'none' } catch (error) { return error } }
    ${script}`)
  expect([...stderr.matchAll(/^\(node:\d+\) \[(\w+)\] WuerstchenWarning/gm)].map(([, name]) => name)).toEqual(warnings)
  if (warnings.length === 0) expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout.toString())
}

// The addon throws errors of the class that it was given last. Take `fails` away when it throws facts instead, of which each copy
// makes an error of its own class.
test('each copy throws errors of its own class, which the other knows too', async () => {
  const facts = await inBoth(`
    const both = [wuerstchen, second]
    const pipelines = []
    for (const { Pipeline } of both) pipelines.push(await Pipeline.load(smallModel, { threads: 1 }))
    const found = []
    for (const [index, own] of both.entries()) {
      const other = both[1 - index]
      const tensor = own.Tensor.from(new Float32Array(4), [4])
      const stage = await own.Stage.load(smallModel + '/vqDecoder.float32.cpu.pt', { threads: 1 })
      for (const work of [
        () => own.Tensor.from(new Float32Array(4), [5]),
        () => stage.run([tensor]),
        () => new own.Tensor({}),
        () => pipelines[index].generate({ ...QUICK, latents: own.Tensor.from(new Float32Array(144).fill(NaN), [1, 16, 3, 3]) })
      ]) {
        const error = await failure(work)
        found.push([error.code, error instanceof own.WuerstchenError, error instanceof other.WuerstchenError,
          wuerstchen.WuerstchenError.is(error), second.WuerstchenError.is(error)])
      }
      await stage.dispose()
    }
    for (const pipeline of pipelines) await pipeline.dispose()
    console.log(JSON.stringify(found))`)
  expect(facts).toEqual(new Array(8).fill(['INVALID_ARGUMENT', true, false, true, true]))
})

test('a copy refuses the tensors of the other by name, and takes its images', async () => {
  const facts = await inBoth(`
    const pipeline = await Pipeline.load(smallModel, { threads: 1 })
    const other = await second.Pipeline.load(smallModel, { threads: 1 })
    const { images: [image] } = await other.generate(QUICK)
    const latents = second.Tensor.from(new Float32Array(144), [1, 16, 3, 3])
    const error = await failure(() => pipeline.generate({ ...QUICK, latents }))
    const again = await pipeline.reconstruct(image, { decoderSteps: 1 })
    console.log(JSON.stringify([error.code, error.subject, again.images.length]))
    await pipeline.dispose()
    await other.dispose()`)
  expect(facts).toEqual(['INVALID_ARGUMENT', 'latents', 1])
})

test("what one copy disposes of leaves the other's alone, and a process with both ends", async () => {
  const facts = await inBoth(`
    const pipeline = await Pipeline.load(smallModel, { threads: 1 })
    const other = await second.Pipeline.load(smallModel, { threads: 1 })
    const before = await pipeline.generate(QUICK)
    const running = pipeline.generate(QUICK)
    await other.dispose()
    const [during, after] = [await running, await pipeline.generate(QUICK)]
    const same = [during, after].map(({ images }) => Buffer.compare(images[0].data, before.images[0].data))
    console.log(JSON.stringify([same, pipeline.disposed, other.disposed, (await failure(() => other.generate(QUICK))).code]))
    await pipeline.dispose()`)
  expect(facts).toEqual([[0, 0], false, true, 'DISPOSED'])
})

test('a broken compiled library falls back in the first copy after the second has loaded', () =>
  withModelCopy(async directory => {
    const bytes = 'this is no library'
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    // Their sizes and hashes are right, so that only opening them tells.
    editIndex(
      directory,
      (index: { artefacts: { libraries: Record<string, { file: string; size: number; sha256: string }> }[] }) => {
        for (const library of index.artefacts.flatMap(({ libraries }) => Object.values(libraries))) {
          Object.assign(library, { size: bytes.length, sha256 })
          rmSync(join(directory, library.file))
          writeFileSync(join(directory, library.file), bytes)
        }
      }
    )
    const facts = await inBoth(
      `
      const model = ${JSON.stringify(directory)}
      await (await second.Pipeline.load(smallModel, { threads: 1 })).dispose()
      const pipeline = await Pipeline.load(model, { threads: 1 })
      console.log(JSON.stringify([...new Set(pipeline.artefacts.map(({ kind }) => kind))]))
      await pipeline.dispose()`,
      Array(3).fill('WUERSTCHEN_LIBRARY')
    )
    expect(facts).toEqual(['torchscript'])
  }, compiledModel))
