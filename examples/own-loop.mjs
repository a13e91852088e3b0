// Runs an exported program by itself, with tensors of your own, and measures one step of the prior.
import { join } from 'node:path'
import { Pipeline, Stage, Tensor } from 'wuerstchen'

const pipeline = await Pipeline.load()
const artefact = pipeline.artefacts.find(({ stage }) => stage === 'prior')
if (artefact === undefined) throw new Error('Expected a prior')
const { path } = pipeline.model
await pipeline.dispose()

const prior = await Stage.load(join(path, artefact.file))
const channels = Number(prior.functions.condition?.inputs[0]?.shape[2])
const text = Tensor.from(new Float32Array(77 * channels), [1, 77, channels])
const latents = Tensor.from(
  new Float32Array(16 * 24 * 24).map(() => Math.random()),
  [1, 16, 24, 24]
)
const ratio = Tensor.from(Float32Array.of(0.5), [1])

const condition = await prior.run({ text }, 'condition')
for (let run = 0; run < 3; run++) {
  const started = performance.now()
  for (const noise of await prior.run([latents, ratio, ...condition], 'step')) {
    console.log(`step ${run}: ${(performance.now() - started).toFixed(1)} ms, noise ${noise.shape.join('×')} ${noise.dtype}`)
    noise.dispose()
  }
}
await prior.dispose()
