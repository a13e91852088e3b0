import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, smallModel } from './small-model.js'

export interface ChildResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: Buffer
  stderr: string
}

/** The beginning of every script of `runScript`: the compiled package, and a cheap call. */
const PRELUDE = `
import * as wuerstchen from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)}
const { Pipeline, Stage, Tensor } = wuerstchen
const smallModel = ${JSON.stringify(smallModel)}
const QUICK = { prompt: 'a photo of a cat', width: 128, height: 128, priorSteps: 2, decoderSteps: 1, seed: 1 }
`

/** Runs an ES module in its own Node process. It must end by itself, because otherwise the test reaches its time limit. */
export function runScript(script: string): Promise<ChildResult> {
  return runNode(['--input-type=module', '-e', PRELUDE + script], {})
}

export interface CommandOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Sends Ctrl-C after so many milliseconds. */
  interruptAfter?: number
}

/** Runs the command line. */
export function runCommandLine(args: readonly string[], options: CommandOptions = {}): Promise<ChildResult> {
  return runNode([join(root, 'dist', 'cli', 'main.js'), ...args], options)
}

/** Runs a script file with its arguments. */
export function runNode(args: readonly string[], { cwd, env, interruptAfter }: CommandOptions): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const stdout: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    const timer = interruptAfter === undefined ? undefined : setTimeout(() => child.kill('SIGINT'), interruptAfter)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr })
    })
  })
}
