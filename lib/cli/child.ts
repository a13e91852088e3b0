import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A child with a group of its own does not hear that the terminal is closed. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface ChildOptions {
  env?: NodeJS.ProcessEnv
  /**
   * The child leads a group of its own, and signals go to all of it. For a child that waits for its own children and hears
   * nothing meanwhile: it and they would go on for minutes when this process is ended.
   */
  group?: boolean
}

/**
 * Runs a program, whose output is this process's own. A terminal sends Ctrl-C to both processes, `kill` to this one alone: so it
 * is passed on. The program tidies up and this process waits for it, unless it is asked twice.
 * @returns its exit code, or 130 if it was interrupted
 * @throws what the system says if it cannot be run
 */
export async function runChild(file: string, args: readonly string[], { env, group = false }: ChildOptions): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', env: env ?? process.env, detached: group })
  let asked = false
  const stop = () => {
    const signal = asked ? 'SIGKILL' : 'SIGINT'
    asked = true
    if (group && child.pid !== undefined) process.kill(-child.pid, signal)
    else child.kill(signal)
  }
  for (const name of STOPPING) process.on(name, stop)
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    if (signal === 'SIGINT' || (asked && (signal !== null || group))) return 130
    return status ?? 1
  } finally {
    for (const name of STOPPING) process.off(name, stop)
  }
}
