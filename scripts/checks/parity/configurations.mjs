#!/usr/bin/env node
/**
 * Exports checkpoints of many configurations that diffusers 0.42.1 runs, and compares this package's images with diffusers' own.
 *
 *   node scripts/checks/parity/configurations.mjs [--quick] [NAME …]
 *
 * Two images of each configuration: largest difference of the embeddings relative to the largest value, largest difference of
 * the pixels (of 255), share of values that differ; and whether `prior` and then `decode` give the bytes of `generate`. A table
 * on stdout; exit code 1 where a configuration fails or is further off than allowed. It takes about five seconds each.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Pipeline } from '../../../dist/index.js'
import { readSafetensors } from '../../../dist/values/safetensors.js'
import { provideLibtorch, providePython } from '../../setup/provide.mjs'
import { root } from '../../setup/paths.mjs'

/** @import { GenerateOptions } from '../../../dist/index.js' */
/** @typedef {GenerateOptions & { width: number, height: number }} ImageOptions */
/**
 * A line of configurations.py.
 * @typedef {{ name: string } & ({ error: string } | { folder: string, images: ImageOptions[] })} Made
 */
/** @typedef {{ embeddings: number, pixels: number, share: number, halves: boolean }} Difference */

/** As in test/parity/pipeline.test.ts: float32 rounding through a few steps, and values that were about to round otherwise. */
const MOST = { embeddings: 1e-4, pixels: 1, share: 1e-3 }

/** @param {ArrayLike<number>} actual @param {ArrayLike<number>} expected */
function differences(actual, expected) {
  let [largest, scale, differing] = [actual.length === expected.length ? 0 : Infinity, 0, 0]
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(/** @type {number} */ (actual[i]) - /** @type {number} */ (expected[i]))
    largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference)
    scale = Math.max(scale, Math.abs(/** @type {number} */ (expected[i])))
    if (difference > 0) differing++
  }
  return { largest, relative: largest / scale, share: differing / expected.length }
}

/** @param {string} folder @param {ImageOptions[]} images @returns {Promise<Difference>} */
async function compare(folder, images) {
  const names = images.flatMap((_, k) => [`embeddings.${k}`, `pixels.${k}`])
  const { tensors } = await readSafetensors(join(folder, 'expected.safetensors'), names)
  /** @param {string} name */
  const expected = async name => /** @type {ArrayLike<number>} */ (await tensors[name]?.data())
  const pipeline = await Pipeline.load(join(folder, 'model'), { threads: 1 })
  const worst = { embeddings: 0, pixels: 0, share: 0, halves: true }
  try {
    for (const [k, options] of images.entries()) {
      const { image, embeddings, decoded } = await bothWays(pipeline, options)
      if (image.width !== options.width || image.height !== options.height) throw new Error('an image has another size')
      const pixels = differences(image.data, await expected(`pixels.${k}`))
      worst.embeddings = Math.max(worst.embeddings, differences(embeddings, await expected(`embeddings.${k}`)).relative)
      worst.pixels = Math.max(worst.pixels, pixels.largest)
      worst.share = Math.max(worst.share, pixels.share)
      worst.halves &&= Buffer.compare(image.data, decoded.data) === 0
    }
    return worst
  } finally {
    await pipeline.dispose()
  }
}

/** `generate`, and the same as `prior` and `decode`. @param {Pipeline} pipeline @param {ImageOptions} options */
async function bothWays(pipeline, options) {
  const { decoderSteps, decoderGuidanceScale, ...prior } = options
  const [image] = (await pipeline.generate(options)).images
  const embeddings = await pipeline.prior(prior)
  const [decoded] = (await pipeline.decode(embeddings, { decoderSteps, decoderGuidanceScale })).images
  if (!image || !decoded) throw new Error('Expected an image of every call')
  const values = /** @type {ArrayLike<number>} */ (await embeddings.tensor.data())
  embeddings.dispose()
  return { image, embeddings: values, decoded }
}

/** @param {Made} made @returns {Promise<{ cells: string[], agrees: boolean }>} */
async function judge(made) {
  if ('error' in made) return { cells: [made.error.split('\n').slice(0, 4).join(' ')], agrees: false }
  try {
    const { embeddings, pixels, share, halves } = await compare(made.folder, made.images)
    const agrees = embeddings <= MOST.embeddings && pixels <= MOST.pixels && share <= MOST.share && halves
    const cells = [embeddings.toExponential(1), String(pixels), share.toExponential(1), halves ? 'yes' : 'no']
    return { cells: agrees ? cells : [...cells, 'FURTHER OFF THAN ALLOWED'], agrees }
  } catch (error) {
    return { cells: [String(error)], agrees: false }
  } finally {
    rmSync(made.folder, { recursive: true, force: true })
  }
}

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean' } } })
  const out = mkdtempSync(join(tmpdir(), 'wuerstchen-configurations-'))
  const child = spawn(
    process.env.WUERSTCHEN_TEST_PYTHON ?? providePython(provideLibtorch(process.env)),
    ['-W', 'ignore', '-m', 'checks.parity.configurations', '--out', out, ...(values.quick ? ['--quick'] : []), ...positionals],
    { cwd: join(root, 'scripts'), stdio: ['ignore', 'pipe', 'inherit'] }
  )
  const ended = new Promise((resolve, reject) => child.on('close', resolve).on('error', reject))
  try {
    console.log('| Configuration | embeddings | pixel | share that differs | halves give the whole |\n|---|---|---|---|---|')
    let [count, agreeing] = [0, 0]
    for await (const line of createInterface({ input: child.stdout })) {
      const made = /** @type {Made} */ (JSON.parse(line))
      const { cells, agrees } = await judge(made)
      console.log(`| ${[made.name, ...cells].join(' | ')} |`)
      count++
      if (agrees) agreeing++
    }
    const code = await ended
    console.log(`\n${agreeing} of ${count} configurations agree`)
    if (code !== 0 || count === 0 || agreeing < count) process.exitCode = 1
  } finally {
    child.kill()
    rmSync(out, { recursive: true, force: true })
  }
}

await main()
