import { spawnSync } from 'node:child_process'
import { SetupError } from '../setup/error.mjs'

/**
 * @typedef {{ cwd: string, env: NodeJS.ProcessEnv, uid?: number, gid?: number }} Where
 */

/**
 * Runs a program to its end, ten minutes at most.
 * @param {string[]} command
 * @param {Where} where
 */
export function run([file = '', ...args], where) {
  const start = performance.now()
  const { status, signal, error, stdout, stderr } = spawnSync(file, args, {
    ...where,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: 600_000,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const text = [stdout, stderr, signal, error?.message].filter(Boolean).join('\n')
  return { status, stdout, text, seconds: (performance.now() - start) / 1000 }
}

/** @param {string[]} command @param {Where} where */
export function must(command, where) {
  const result = run(command, where)
  if (result.status !== 0)
    throw new SetupError(`"${command.join(' ')}" ended with ${result.status}.\n${result.text.slice(-4000)}`)
  return result
}
