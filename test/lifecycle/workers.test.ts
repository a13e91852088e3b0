import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { runScript } from '../support/child.js'
import { root } from '../support/small-model.js'

const PRELUDE = `
import { Worker } from 'node:worker_threads'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
const start = (options, dispose = true) => new Worker(new URL(${JSON.stringify(pathToFileURL(join(root, 'test', 'support', 'worker.mjs')).href)}),
  { workerData: { packageUrl: ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)}, smallModel, options: { ...QUICK, ...options }, dispose }, execArgv: [] })
const message = async (worker, wanted) => { for (;;) { const [value] = await once(worker, 'message'); if (wanted(value)) return value } }
const pixels = worker => message(worker, value => value instanceof Uint8Array)
const threads = () => readdirSync('/proc/self/task').length
`

async function expectOk(script: string): Promise<void> {
  expect(await runScript(PRELUDE + script)).toMatchObject({ code: 0, signal: null, stderr: '' })
}

test("workers make the main thread's picture, at the same time", () =>
  expectOk(`
  const workers = [start(), start()]
  const [first, second] = await Promise.all(workers.map(pixels))
  const pipeline = await Pipeline.load(smallModel, { threads: 1 })
  const { images } = await pipeline.generate(QUICK)
  await pipeline.dispose()
  for (const data of [first, second]) if (Buffer.compare(data, images[0].data) !== 0) process.exitCode = 7`))

test('the addon may be loaded in workers alone, one after the other', () =>
  expectOk(`
  for (let round = 0; round < 3; round++) {
    const worker = start({}, round % 2 === 0)
    await pixels(worker)
    const [code] = await once(worker, 'exit')
    if (code !== 0) process.exitCode = 7
  }`))

test('a worker can be terminated idle, while loading and in the middle of work, and leaves no thread', () =>
  expectOk(`
  const round = async () => {
    for (const wanted of ['loaded', 'step', undefined, 'step', 'loaded']) {
      const worker = start({ priorSteps: 1000 })
      if (wanted === undefined) await new Promise(resolve => setTimeout(resolve, 150))
      else await message(worker, value => value === wanted)
      await worker.terminate()
    }
    const worker = start()
    await pixels(worker)
    await once(worker, 'exit')
  }
  // Node's and OpenMP's own pools grow in the first round; what a termination leaves behind, every round leaves behind.
  await round()
  const before = threads()
  await round()
  await round()
  if (threads() > before + 2) { console.error(before, threads()); process.exitCode = 7 }`))
