// node --expose-gc bench/load-cycles.mjs [MODEL_DIR] [--cycles 100] [--size 128] [--threads 2] [--residency all|sequential]
// Loads, makes a picture and disposes, again and again: resident memory after each tenth cycle, and the slope of the line through
// all but the first fifth (while caches fill), in megabytes a cycle. One line of JSON each.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Pipeline } from '../dist/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cycles: { type: 'string', default: '100' },
    size: { type: 'string', default: '128' },
    threads: { type: 'string', default: '2' },
    residency: { type: 'string', default: 'all' }
  }
})
const [cycles, size, threads] = [Number(values.cycles), Number(values.size), Number(values.threads)]
const { residency } = values
if (residency !== 'all' && residency !== 'sequential') throw new Error('Expected all or sequential for --residency')

/** Megabytes, as the kernel counts them now; Node's own figure is the same but for its rounding. */
function resident() {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line?.[1]) / 1024
}

/** @param {[x: number, y: number][]} points */
function slope(points) {
  /** @param {0 | 1} index */
  const mean = index => points.reduce((sum, point) => sum + point[index], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  return points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0)
}

/** @type {[cycle: number, megabytes: number][]} */
const points = []
for (let cycle = 1; cycle <= cycles; cycle++) {
  const pipeline = await Pipeline.load(positionals[0], { device: 'cpu', threads, residency })
  await pipeline.generate({ prompt: 'a red cat', seed: cycle, width: size, height: size, priorSteps: 4, decoderSteps: 2 })
  await pipeline.dispose()
  globalThis.gc?.()
  points.push([cycle, resident()])
  if (cycle % Math.ceil(cycles / 10) === 0) console.log(JSON.stringify({ cycle, megabytes: Math.round(resident()) }))
}
console.log(
  JSON.stringify({
    cycles,
    size,
    threads,
    residency,
    megabytesACycle: Number(slope(points.slice(Math.floor(cycles / 5))).toFixed(3))
  })
)
