#!/usr/bin/env node
/**
 * What is made and freed again and again leaves nothing behind: `node --expose-gc scripts/checks/cycles.mjs [--share 1] [--only
 * tensors,garbage,loads,side-by-side,workers]`. `--share 0.1` does a tenth of the counts. It ends with 1 where a bound is broken.
 */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Pipeline, Stage, Tensor } from '../../dist/index.js'
import { loadAddon } from '../../dist/load/addon.js'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { MODEL, VQ_DECODER } from './attack/programs.mjs'

const { values } = parseArgs({ options: { only: { type: 'string' }, share: { type: 'string', default: '1' } } })
const COMPILED = join(root, 'build', 'compiled-model')
const MB = 2 ** 20
const BYTES = 4 * MB
const QUICK = { prompt: 'a', width: 128, height: 128, priorSteps: 1, decoderSteps: 1, seed: 1 }

const times = (/** @type {number} */ count) => Math.max(4, Math.round(count * Number(values.share)))
const turn = () => new Promise(resolve => setImmediate(resolve))
const data = new Uint8Array(BYTES)
/** @type {string[]} */
const faults = []

function expect(/** @type {string} */ what, /** @type {number} */ seen, /** @type {number} */ most) {
  console.log(`${what}: ${seen.toFixed(2)}, at most ${most}`)
  if (!(seen <= most)) faults.push(what)
}

/** Rubbish is collected first; finalizers run a turn later. */
async function memory() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await turn()
  }
  return process.memoryUsage()
}

const mappedLibraries = () => new Set(readFileSync('/proc/self/maps', 'utf8').match(/memfd:wuerstchen-[0-9a-f]{64}/g) ?? []).size

/** @type {Record<string, () => Promise<void>>} */
const CYCLES = {
  async tensors() {
    const make = () => Tensor.from(data, [BYTES]).dispose()
    for (let i = 0; i < times(200); i++) make()
    const before = await memory()
    for (let i = 0; i < times(10_000); i++) make()
    const after = await memory()
    console.log(`${times(10_000)} tensors of 4 MB made and disposed of`)
    expect('RSS grows by MB', (after.rss - before.rss) / MB, 16)
    expect('external memory changes by %', Math.abs(after.external / before.external - 1) * 100, 1)
  },

  async garbage() {
    let most = 0
    for (let i = 0; i < times(10_000); i++) {
      Tensor.from(data, [BYTES])
      if (i % 10 === 0) await turn()
      if (i % 100 === 0) most = Math.max(most, process.memoryUsage().rss)
    }
    console.log(`${times(10_000)} tensors of 4 MB left to the garbage collector, a turn of the event loop after every ten`)
    expect('largest RSS in MB', most / MB, 512)
    await memory()
    expect('tensors left', loadAddon().liveObjects()['tensors'] ?? NaN, 0)
  },

  async loads() {
    for (const [kind, model] of /** @type {const} */ ([
      ['torchscript', MODEL],
      ['aoti', COMPILED]
    ])) {
      const cycle = async () => {
        const pipeline = await Pipeline.load(model, { threads: 1, dtype: 'float32' })
        await pipeline.generate(QUICK)
        await pipeline.dispose()
      }
      for (let i = 0; i < 10; i++) await cycle()
      const [before, files] = [await memory(), readdirSync('/proc/self/fd').length]
      const cycles = times(100)
      for (let i = 0; i < cycles; i++) await cycle()
      const after = await memory()
      console.log(`${cycles} times load, run and dispose, ${kind}`)
      expect('RSS grows by MB a cycle', (after.rss - before.rss) / MB / cycles, 0.2)
      expect('further open files', readdirSync('/proc/self/fd').length - files, 0)
      const { engines, programs, requests, weights } = loadAddon().liveObjects()
      expect('engines, programs and requests left', (engines ?? NaN) + (programs ?? NaN) + (requests ?? NaN), 0)
      expect('weights left by libraries', weights ?? NaN, 0)
    }
    expect('libraries mapped beyond those of the model', mappedLibraries() - 3, 2)
  },

  async 'side-by-side'() {
    let failed = 0
    const rounds = times(50)
    for (let round = 0; round < rounds; round++) {
      const file = round % 2 === 0 ? VQ_DECODER : join(COMPILED, 'vqDecoder.float32.cpu.pt')
      const kind = round % 2 === 0 ? 'torchscript' : 'aoti'
      const loads = await Promise.allSettled(Array.from({ length: 8 }, () => Stage.load(file, { kind, threads: 1 })))
      failed += loads.filter(({ status }) => status === 'rejected').length
      await Promise.all(loads.map(load => (load.status === 'fulfilled' ? load.value.dispose() : undefined)))
    }
    console.log(`${rounds} rounds of 8 stages loaded at once`)
    expect('failed', failed, 0)
    // The one that copies tensors may be there.
    expect('threads left', (loadAddon().liveObjects()['threads'] ?? NaN) - 1, 0)
  },

  /** Alone (`--only workers`), this thread never loads the addon. */
  async workers() {
    const child = new URL('attack/worker-child.mjs', import.meta.url)
    const threads = () => readdirSync('/proc/self/task').length
    for (const state of ['idle', 'busy']) {
      let wrong = 0
      const eight = async () => {
        const codes = Array.from({ length: 8 }, async () => {
          const worker = new Worker(child, { workerData: state })
          await once(worker, 'message')
          // What Node gives a worker that was terminated.
          if ((await worker.terminate()) !== 1) wrong++
        })
        await Promise.all(codes)
      }
      // Pools grow in the first rounds.
      for (let round = 0; round < 2; round++) await eight()
      const before = threads()
      const rounds = Math.ceil(times(100) / 8)
      for (let round = 0; round < rounds; round++) await eight()
      console.log(`${8 * rounds} worker threads terminated ${state}, eight at a time`)
      expect('other exit codes', wrong, 0)
      expect('threads left', threads() - before, 0)
    }
  }
}

if (globalThis.gc === undefined) throw new Error('Expected node --expose-gc: else what is garbage counts as held')
const chosen = values.only?.split(',') ?? Object.keys(CYCLES)
for (const name of chosen) await CYCLES[name]?.()
console.log(faults.length === 0 ? 'nothing is left' : `FAILS: ${faults.join(', ')}`)
process.exitCode = faults.length === 0 ? 0 : 1
