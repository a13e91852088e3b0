#!/usr/bin/env node
/**
 * Ends processes with 200 of everything queued, in every way that a process can end, and measures how many steps that takes:
 * `node scripts/checks/ends.mjs [--times 3] [--queued 200] [--kind stage] [--end exit] [--limit 60000] [--codes]`.
 * It ends with 1 where one takes longer than two steps and `SLACK_MS` more than without work, has another exit code than it
 * should, or dies of a signal. With `--codes` it looks at nothing but how they end, which takes a tenth of the time.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const KINDS = ['stage', 'encode', 'generate', 'prompts']
/** What each end should come to: an exit code or a signal. @type {Readonly<Record<string, number | string>>} */
const ENDS = {
  dispose: 0,
  exit: 3,
  reallyExit: 5,
  'exit without listeners': 3,
  terminate: 0,
  SIGTERM: 'SIGTERM',
  SIGINT: 'SIGINT',
  'SIGTERM, handled': 6,
  'uncaught exception': 1
}
/** What the machine does beside: two processes of Node, signals, and a kernel that takes memory back. */
const SLACK_MS = 250

/** @typedef {{ ms: number, step: number, result: number | string | null, settled?: string, stderr: string }} Ended */

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '3' },
    queued: { type: 'string', default: '200' },
    kind: { type: 'string', multiple: true },
    end: { type: 'string', multiple: true },
    limit: { type: 'string', default: '60000' },
    codes: { type: 'boolean', default: false }
  }
})

/** @param {string} kind @param {string} end @param {number} queued @returns {Promise<Ended>} */
function endOnce(kind, end, queued) {
  return new Promise(resolve => {
    const child = spawn(
      process.execPath,
      [
        fileURLToPath(new URL('attack/ends-child.mjs', import.meta.url)),
        kind,
        end,
        String(queued),
        ...(values.codes ? ['codes'] : [])
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe']
      }
    )
    let [began, step, stderr] = [0, 0, '']
    /** @type {string | undefined} */
    let settled
    let hung = false
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr = (stderr + text).slice(-2000)
    })
    createInterface(child.stdout).on('line', line => {
      const said = JSON.parse(line)
      if (said.ending !== undefined) {
        ;[began, step] = [said.at, said.step]
        timer = setTimeout(() => {
          hung = true
          child.kill('SIGKILL')
        }, Number(values.limit))
        if (end.startsWith('SIG')) {
          began = performance.timeOrigin + performance.now()
          child.kill(/** @type {NodeJS.Signals} */ (end.split(',')[0]))
        }
      }
      if (said.disposed) settled = `${said.settled} of ${said.queued}`
    })
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      const ms = performance.timeOrigin + performance.now() - began
      setImmediate(() => resolve({ ms, step, result: hung ? 'hang' : (signal ?? code), settled, stderr }))
    })
  })
}

/** @param {readonly number[]} list */
const median = list => /** @type {number} */ (list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)])

let failed = 0
console.log('kind      end                      step ms  idle ms   ms (longest)  steps: median (longest)  exit   settled')
for (const kind of values.kind ?? KINDS) {
  for (const end of values.end ?? Object.keys(ENDS)) {
    const repeat = async (/** @type {number} */ queued) => {
      const ended = []
      for (let i = 0; i < Number(values.times); i++) ended.push(await endOnce(kind, end, queued))
      return ended
    }
    const idle = values.codes ? 0 : median((await repeat(0)).map(({ ms }) => ms))
    const ended = await repeat(Number(values.queued))
    const stepsOf = (/** @type {Ended} */ { ms, step }) => (step === 0 ? 0 : Math.max(0, ms - idle) / step)
    const longest = ended.reduce((a, b) => (b.ms - 2 * b.step > a.ms - 2 * a.step ? b : a))
    const steps = median(ended.map(stepsOf))
    const late = !values.codes && longest.ms - idle > 2 * longest.step + SLACK_MS
    const results = [...new Set(ended.map(({ result }) => result))]
    const wrong = ended.filter(({ result }) => result !== ENDS[end])
    const unsettled = ended.filter(
      ({ settled }) => settled !== undefined && settled.split(' of ')[0] !== settled.split(' of ')[1]
    )
    const fails = late || wrong.length > 0 || unsettled.length > 0
    if (fails) failed++
    console.log(
      [
        kind.padEnd(9),
        end.padEnd(24),
        longest.step.toFixed(1).padStart(7),
        idle.toFixed(0).padStart(8),
        longest.ms.toFixed(0).padStart(8),
        steps.toFixed(1).padStart(22),
        `(${stepsOf(longest).toFixed(1)})`.padEnd(9),
        results.join('/').padStart(7),
        (ended[0]?.settled ?? '').padStart(11),
        fails ? 'FAILS' : ''
      ].join(' ')
    )
    if (wrong[0] !== undefined && wrong[0].stderr !== '')
      console.log(`  ${wrong[0].stderr.trim().split('\n').slice(-3).join(' | ')}`)
  }
}
console.log(`${failed} fail`)
process.exitCode = failed === 0 ? 0 : 1
