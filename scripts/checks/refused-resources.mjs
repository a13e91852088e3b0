#!/usr/bin/env node
/**
 * Refuses processes memory, threads, files and disk, and looks at what becomes of them:
 * `node scripts/checks/refused-resources.mjs [--only memory,threads,files,disk,allocations] [--sites 60] [--seed 1]`. It ends
 * with 1 for a crash, a hang, a process that does not end, or an error that is neither typed nor the system's. Limits of
 * threads and a full disk need root, and are left out without it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { refuseAllocations } from './attack/refused-allocations.mjs'
import { report } from './attack/report.mjs'
/** @import { Outcome } from './attack/children.mjs' */

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    sites: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    verbose: { type: 'boolean' }
  }
})
const isRoot = process.getuid?.() === 0
const NOBODY = 65534
const LIMIT_MS = 90_000
/** From the script's end to the process's. */
const END_MS = 10_000

/** @typedef {{ kind: string, scenario: string, options: object, wrapper?: string[] }} Trial */

/**
 * With less left, oneDNN dereferences what it could not allocate (matmul_pd_t, on LibTorch 2.13), and Node ends the process where
 * it reads a child's output. Neither can be caught, so such crashes are listed and do not fail.
 */
const ALMOST_NONE = 80
const MEGABYTES = [0, 2, 5, 10, 20, 40, 80, 160, 320, 640]

/** @type {Readonly<Record<string, () => Trial[]>>} */
const TRIALS = {
  memory: () => [
    ...['loading', 'images', 'data()'].flatMap(what =>
      // With less, V8 finds no memory for the code that loads.
      MEGABYTES.filter(megabytes => what !== 'loading' || megabytes >= 5).map(megabytes => ({
        kind: `memory for ${what}${what === 'images' && megabytes < ALMOST_NONE ? ', almost none left' : ''}`,
        scenario: `memory for ${what}`,
        options: { megabytes }
      }))
    ),
    // From the start: also what Node and LibTorch need to begin.
    ...[1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000].map(megabytes => ({
      kind: 'memory from the start',
      scenario: 'use',
      options: {},
      wrapper: ['prlimit', `--as=${megabytes * 2 ** 20}`]
    }))
  ],
  threads: () =>
    isRoot
      ? [1, 2, 4, 64].flatMap(threads =>
          // Node has 11 threads of its own.
          [10, 11, 12, 13, 14, 16, 20, 40].flatMap(most =>
            ['use', 'stage'].map(scenario => ({
              kind: `${threads} threads, ${scenario === 'use' ? 'pipeline' : 'stage'}`,
              scenario,
              options: { threads },
              wrapper: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', 'prlimit', `--nproc=${most}`]
            }))
          )
        )
      : [],
  // Node needs some forty to begin, so the limit comes later.
  files: () => [0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20].map(more => ({ kind: 'open files', scenario: 'files', options: { more } })),
  disk: () => (isRoot ? [{ kind: 'a full disk', scenario: 'disk', options: {} }] : [])
}

/** @param {Trial} trial @returns {Promise<Omit<Outcome, 'index' | 'kind'>[]>} what came of each part, and of the process */
function tryOnce({ scenario, options, wrapper = [] }) {
  const script = fileURLToPath(new URL('attack/refused-child.mjs', import.meta.url))
  const [file, ...args] = [...wrapper, process.execPath, script, scenario, JSON.stringify(options)]
  return new Promise(resolve => {
    const child = spawn(/** @type {string} */ (file), args, { stdio: ['ignore', 'pipe', 'pipe'] })
    /** @type {{ outcome: string, detail?: string }[]} */
    const parts = []
    let [begun, stderr, why] = [false, '', 'hang']
    let timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr = (stderr + text).slice(-1500)
    })
    createInterface(child.stdout).on('line', line => {
      const said = JSON.parse(line)
      if (said.begin) begun = true
      else if (said.end === undefined) parts.push({ outcome: said.outcome, detail: `${said.part}: ${said.detail ?? ''}` })
      else {
        clearTimeout(timer)
        timer = setTimeout(() => {
          why = 'immortal'
          child.kill('SIGKILL')
        }, END_MS)
      }
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const last = stderr.trim().split('\n').slice(-3).join(' | ')
      if (signal === 'SIGKILL') parts.push({ outcome: why, detail: parts.map(({ detail }) => detail).join(', ') })
      else if (code !== 0 || signal !== null) {
        // Until then it was Node that could not begin.
        parts.push({ outcome: begun ? 'crash' : 'did not begin', detail: `${signal ?? `exit code ${code}`} ${last}` })
      }
      resolve(parts)
    })
  })
}

/** @param {string} kind */
const isBeyondUs = kind => kind.includes('any size') || kind.includes('almost none')

/** @param {Outcome} outcome */
const fails = ({ kind, outcome }) =>
  !isBeyondUs(kind) && ['crash', 'hang', 'immortal', 'untyped', 'never settles', 'other image'].includes(outcome)

const chosen = values.only?.split(',') ?? [...Object.keys(TRIALS), 'allocations']
/** @type {Outcome[]} */
const outcomes = []
const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-refused-'))
try {
  for (const name of chosen.filter(each => each !== 'allocations')) {
    for (const trial of TRIALS[name]?.() ?? []) {
      if (name === 'disk') {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
        trial.options = { folder }
      }
      const wrapped = `${trial.wrapper?.at(-1) ?? ''} ${JSON.stringify(trial.options)}`
      for (const { outcome, detail } of await tryOnce(trial)) {
        outcomes.push({ index: outcomes.length, kind: trial.kind, outcome, detail: `${wrapped} ${detail ?? ''}` })
        if (values.verbose) console.log(JSON.stringify(outcomes.at(-1)))
      }
      if (name === 'disk') spawnSync('umount', [folder])
    }
  }
  if (chosen.includes('allocations'))
    outcomes.push(...(await refuseAllocations({ folder, sites: Number(values.sites), seed: Number(values.seed) })))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
// Node-API itself cannot be told that a few bytes were refused.
const noted = (/** @type {Outcome} */ { kind, outcome }) =>
  outcome === 'internal' || outcome === 'did not begin' || (isBeyondUs(kind) && outcome === 'crash')
process.exitCode = report(outcomes, fails, { noted, command: 'node scripts/checks/refused-resources.mjs' }) ? 0 : 1
