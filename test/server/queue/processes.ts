import { fork, type ChildProcess } from 'node:child_process'
import { tinyModel } from '../fake-backend.js'
import { CALM } from './fleet.js'
import type { HostMessage, HostOptions } from '../../../bench/scale/host.mjs'

/** A server or a worker in a process of its own. */
export class HostProcess {
  readonly #child: ChildProcess
  /** What it said. */
  readonly said: HostMessage[] = []
  readonly ended: Promise<void>

  private constructor(options: HostOptions, env: NodeJS.ProcessEnv) {
    this.#child = fork(new URL('../../../bench/scale/host.mjs', import.meta.url), [JSON.stringify(options)], {
      env: { ...process.env, ...env }
    })
    this.#child.on('message', message => this.said.push(message as HostMessage))
    this.ended = new Promise(resolve => this.#child.once('exit', () => resolve()))
  }

  static async start(
    options: Partial<HostOptions> & Pick<HostOptions, 'role' | 'queue'>,
    env: NodeJS.ProcessEnv = {}
  ): Promise<HostProcess> {
    const host = new HostProcess({ models: { tiny: tinyModel }, times: CALM, ...options }, env)
    await Promise.race([host.#hears('ready'), host.ended])
    if (host.address === undefined) throw new Error('The process ended before it was ready')
    return host
  }

  /** Where it answers. */
  get address(): string | undefined {
    return this.said.find(({ ready }) => ready !== undefined)?.ready
  }

  /** The prompts of what it began, and of what it was told to stop. */
  prompts(which: 'started' | 'stopped'): string[] {
    return this.said.map(message => message[which]).filter(prompt => prompt !== undefined)
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }

  #hears(kind: string): Promise<void> {
    return new Promise(resolve => {
      this.#child.on('message', message => {
        if (kind in (message as object)) resolve()
      })
    })
  }
}
