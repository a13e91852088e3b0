import { spawnSync } from 'node:child_process'
import { SetupError } from './error.mjs'

/**
 * Prints to stderr, like everything in the set-up: stdout belongs to the command that runs the set-up.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`)
}

/**
 * Runs a program and shows what it prints.
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, fixes?: string[] }} [options]
 */
export function run(file, args, { cwd, env, fixes } = {}) {
  const { status, signal, error } = spawnSync(file, args, { cwd, env, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  const how = error ? error.message : signal ? `was ended by ${signal}` : `ended with exit code ${status}`
  throw new SetupError(`"${[file, ...args].join(' ')}" ${how}.`, fixes)
}
