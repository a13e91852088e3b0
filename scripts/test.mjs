#!/usr/bin/env node
/**
 * `npm test`: sets up what is missing, then runs all checks, even after one has failed. As many run side by side as there are
 * cores. It ends with the summary lines that the runners printed. With --static: only what reads the code and runs none of it, in
 * about a minute.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { main } from './setup/main.mjs'
import { root } from './setup/paths.mjs'
import { setup } from './setup.mjs'
import { counts, summaryLines } from './setup/summary.mjs'
import { leftOut } from '../test/support/programs.mjs'

/** @typedef {{ name: string, command: string[], runs?: boolean }} Check `runs`: it runs the code, and takes minutes */

const bin = (/** @type {string} */ name) => join(root, 'node_modules', '.bin', name)

/** @param {string[]} folders @param {RegExp} name */
const filesOf = (folders, name) =>
  folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(file => name.test(file))
      .map(file => join(folder, file))
  )

/**
 * The check that takes longest comes first, so that the others run beside it.
 * @param {string} python
 * @returns {Check[]}
 */
const checks = python => [
  { name: 'vitest', command: [bin('vitest'), 'run'], runs: true },
  { name: 'pytest', command: [python, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', join('test', 'export')], runs: true },
  { name: 'types of Python', command: [python, '-m', 'mypy'] },
  { name: 'lint', command: [bin('eslint'), '.'] },
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  { name: 'types of the page', command: [bin('tsc'), '--noEmit', '--project', join('lib', 'server', 'page')] },
  { name: 'API reference', command: [bin('typedoc'), '--emit', 'none'] },
  { name: 'package', command: [process.execPath, join('scripts', 'checks', 'package.mjs')] },
  { name: 'unused code', command: [bin('knip')] },
  { name: 'ctest', command: ['ctest', '--test-dir', join(root, 'build'), '--output-on-failure'], runs: true },
  { name: 'format', command: [bin('biome'), 'format', '.'] },
  { name: 'lint of Python', command: [python, '-m', 'ruff', 'check', '.'] },
  { name: 'format of Python', command: [python, '-m', 'ruff', 'format', '--check', '.'] },
  {
    name: 'format of C++',
    command: [join(dirname(python), 'clang-format'), '--dry-run', '--Werror', ...filesOf(['cpp', 'test/cpp'], /\.(cc|h)$/)]
  }
]

/**
 * Runs one check. Its output is printed when it has ended, because several run at the same time.
 * @param {Check} check
 */
async function runCheck({ name, command }) {
  console.log(`started ${name}`)
  const [file, ...args] = command
  const start = performance.now()
  const child = spawn(/** @type {string} */ (file), args, {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
  const ok = await new Promise(resolve =>
    child
      .on('error', error => {
        text += error.message
        resolve(false)
      })
      .on('close', code => resolve(code === 0))
  )
  const shown = command.slice(0, 12).join(' ').replaceAll(`${root}/`, '')
  console.log(`\n--- ${name}: ${shown}${command.length > 12 ? ' …' : ''}\n${text.trimEnd()}`)
  return { name, ok, text, seconds: (performance.now() - start) / 1000 }
}

/**
 * Runs all, `atOnce` at a time, in their order.
 * @param {readonly Check[]} all
 * @param {number} atOnce
 */
async function runChecks(all, atOnce) {
  const waiting = [...all.entries()]
  /** @type {Awaited<ReturnType<typeof runCheck>>[]} */
  const results = []
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results[next[0]] = await runCheck(next[1])
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return results
}

main(async () => {
  const { values } = parseArgs({ options: { static: { type: 'boolean', default: false } } })
  const { python } = setup({ tests: true })
  const chosen = checks(python ?? 'python3').filter(({ runs }) => !(values.static && runs))
  const results = await runChecks(chosen, Math.max(2, availableParallelism()))

  console.log('\n--- summary')
  for (const { name, ok, text, seconds } of results) {
    console.log(`${name}: ${ok ? 'ok' : 'FAILED'} in ${seconds.toFixed(0)} s`)
    for (const line of summaryLines(name, text)) console.log(line)
  }
  for (const part of leftOut()) console.log(`left out: ${part}`)
  const { passed, failed } = counts(results)
  console.log(`${passed} passed, ${failed} failed`)
  if (results.some(({ ok }) => !ok)) process.exitCode = 1
})
