import { expect, test } from 'vitest'
import { runScript } from '../support/child.js'

/** Each script must end the process by itself, with this exit code and without a signal. */
async function expectExit(script: string): Promise<void> {
  expect(await runScript(script)).toMatchObject({ code: 0, signal: null, stderr: '' })
}

test.each<[string, string]>([
  ['nothing is loaded', ''],
  ['a tensor is left alone', 'Tensor.from(new Float32Array(4), [4])'],
  ['a pipeline is disposed', 'const p = await Pipeline.load(smallModel); await p.generate(QUICK); await p.dispose()'],
  ['a pipeline is left alone', 'globalThis.p = await Pipeline.load(smallModel); await p.generate(QUICK)'],
  [
    'a stage is left alone',
    'globalThis.s = await Stage.load(`${smallModel}/vqDecoder.float32.cpu.pt`); await s.run([Tensor.from(new Float32Array(256), [1, 4, 8, 8])])'
  ],
  [
    'work is under way that nobody awaits',
    'const p = await Pipeline.load(smallModel); p.generate(QUICK).then(({ images }) => { if (images.length !== 1) process.exitCode = 7 })'
  ],
  [
    'process.exit() comes in the middle',
    'const p = await Pipeline.load(smallModel); p.generate({ ...QUICK, priorSteps: 1000, onStep: () => process.exit(0) }); await new Promise(() => setInterval(() => {}, 1000))'
  ],
  [
    'a call was aborted',
    'const p = await Pipeline.load(smallModel); await p.generate({ ...QUICK, priorSteps: 1000, signal: AbortSignal.timeout(200) }).catch(e => { if (e.name !== "TimeoutError") throw e }); await p.dispose()'
  ]
])('the process ends where %s', async (_name, script) => {
  await expectExit(script)
})

test('an uncaught exception in the middle of work ends the process as always', async () => {
  const result = await runScript(
    'const p = await Pipeline.load(smallModel); p.generate({ ...QUICK, priorSteps: 1000 }); setTimeout(() => { throw new Error("mine") }, 300)'
  )
  expect(result).toMatchObject({ code: 1, signal: null, stderr: expect.stringContaining('Error: mine') })
})

test('garbage collection of everything that was not disposed is harmless', async () => {
  await expectExit(`
    import { setFlagsFromString } from 'node:v8'
    import { runInNewContext } from 'node:vm'
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc')
    for (let round = 0; round < 3; round++) {
      const p = await Pipeline.load(smallModel)
      const e = await p.prior({ prompt: 'a cat', width: 128, height: 128, priorSteps: 2 })
      await p.decode(e, { decoderSteps: 1 })
      for (let i = 0; i < 50; i++) Tensor.from(new Float32Array(1000), [1000])
      gc(); await new Promise(r => setImmediate(r)); gc()
    }`)
})

test('memory of tensors that nobody disposes stays bounded', async () => {
  // 2,000 tensors of 1 MB; without telling V8 of them, nothing would be collected before 2 GB are gone.
  const { code, stdout } = await runScript(`
    // One for all: arrays of its own would have V8 collect the tensors along with them.
    const data = new Uint8Array(1 << 20).fill(1)
    const rss = () => process.memoryUsage().rss / 2 ** 20
    const make = async count => {
      for (let i = 0; i < count; i++) { Tensor.from(data, [1 << 20]); if (i % 20 === 0) await new Promise(r => setImmediate(r)) }
    }
    await make(20)
    const before = rss()
    let most = 0
    for (let round = 0; round < 100; round++) { await make(20); most = Math.max(most, rss()) }
    process.stdout.write(String(most - before))`)
  expect(code).toBe(0)
  expect(Number(stdout.toString())).toBeLessThan(512)
})
