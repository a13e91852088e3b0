// Fresh processes, one after another.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename, delimiter } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { pythonPath, root } from './places.mjs'
/** @import { Readable } from 'node:stream' */

/** @typedef {Record<string, string | undefined>} Environment */
/** @typedef {Record<string, unknown> & { at: number }} Line */

/** Ctrl-C ends the process that runs, so that whoever waits for it can clean up. */
export const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort())

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}

/**
 * Runs a command to its end and reads each line of its stdout as JSON. `at`: milliseconds since the command was started.
 * @param {string} command
 * @param {string[]} args
 * @param {Environment} [env] added to this process's
 * @param {(line: Line) => void} [onLine] hears of each line as it comes
 * @returns {Promise<Line[]>}
 * @throws {Error} with what stderr says where it fails
 */
export async function runLines(command, args, env, onLine) {
  const started = performance.now()
  /** @type {Line[]} */
  const lines = []
  await run(command, args, env, stdout =>
    createInterface(stdout).on('line', text => {
      const line = { ...JSON.parse(text), at: performance.now() - started }
      lines.push(line)
      onLine?.(line)
    })
  )
  return lines
}

/**
 * Runs a command to its end and returns its stdout.
 * @param {string} command
 * @param {string[]} args
 * @param {Environment} [env] added to this process's
 */
export async function runText(command, args, env) {
  /** @type {Promise<string>[]} */
  const stdout = []
  await run(command, args, env, stream => stdout.push(text(stream)))
  return (await Promise.all(stdout)).join('')
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Environment | undefined} env
 * @param {(stdout: Readable) => void} read
 */
async function run(command, args, env, read) {
  const { signal } = interrupted
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, PYTHONPATH: [pythonPath, process.env.PYTHONPATH].filter(Boolean).join(delimiter), ...env },
    signal,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe']
  })
  read(child.stdout)
  const stderr = text(child.stderr)
  const [code, killed] = await once(child, 'close')
  if (code !== 0)
    throw new Error(
      `${basename(command)} ${(args[0] ?? '').replace(`${root}/`, '')} ended with ${killed ?? code}: ${complaint(await stderr)}`
    )
}

/**
 * The last line that names an error; Node and Python print others around it.
 * @param {string} stderr
 */
function complaint(stderr) {
  const lines = stderr.trim().split('\n')
  return lines.findLast(line => /error/i.test(line)) ?? (lines.at(-1) || 'nothing on stderr')
}
