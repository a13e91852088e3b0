#!/usr/bin/env node
/**
 * `npm test`: sets up what is missing, then runs every check, also after one has failed. Ends with the summary lines that
 * the runners themselves printed.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { main } from './setup/main.mjs'
import { root } from './setup/paths.mjs'
import { setup } from './setup.mjs'
import { counts, summaryLines } from './setup/summary.mjs'

/** @param {string} name */
const bin = name => join(root, 'node_modules', '.bin', name)

/** @param {string} python */
const checks = python => [
  { name: 'lint', command: [bin('eslint'), '.'] },
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  { name: 'ctest', command: ['ctest', '--test-dir', join(root, 'build'), '--output-on-failure'] },
  { name: 'vitest', command: [bin('vitest'), 'run'] },
  { name: 'pytest', command: [python, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', join('test', 'export')] }
]

/**
 * Runs one check, shows its output as it comes and keeps it.
 * @param {{ name: string, command: string[] }} check
 */
async function runCheck({ name, command }) {
  console.log(`\n--- ${name}: ${command.join(' ').replaceAll(`${root}/`, '')}`)
  const [file, ...args] = command
  const start = performance.now()
  const child = spawn(/** @type {string} */ (file), args, {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let text = ''
  for (const [stream, target] of /** @type {const} */ ([
    [child.stdout, process.stdout],
    [child.stderr, process.stderr]
  ])) {
    stream.setEncoding('utf8').on('data', chunk => {
      text += chunk
      target.write(chunk)
    })
  }
  const ok = await new Promise(resolve =>
    child
      .on('error', error => {
        text += error.message
        resolve(false)
      })
      .on('close', code => resolve(code === 0))
  )
  return { name, ok, text, seconds: (performance.now() - start) / 1000 }
}

main(async () => {
  const { python } = setup({ tests: true })
  if (python === null) throw new Error('Expected a Python for the tests')
  const results = []
  for (const check of checks(python)) results.push(await runCheck(check))

  console.log('\n--- summary')
  for (const { name, ok, text, seconds } of results) {
    console.log(`${name}: ${ok ? 'ok' : 'FAILED'} in ${seconds.toFixed(0)} s`)
    for (const line of summaryLines(name, text)) console.log(line)
  }
  const { passed, failed } = counts(results)
  console.log(`${passed} passed, ${failed} failed`)
  if (results.some(({ ok }) => !ok)) process.exitCode = 1
})
