import { fork } from 'node:child_process'

/** @import { HostMessage, HostOptions } from './host.mjs' */

/** A place in the fleet: its process is started again whenever it ends. */
export class Place {
  /** @type {string | undefined} Where its process answers, while it does. */
  address
  ended = 0
  #closed = false
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child
  #options
  #heard
  #died

  /**
   * @param {HostOptions} options @param {(message: HostMessage) => void} [heard]
   * @param {(worker: string) => void} [died] hears the name that its process had in the queue, when it ends
   */
  constructor(options, heard = () => {}, died = () => {}) {
    this.#options = options
    this.#heard = heard
    this.#died = died
    this.#start()
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    this.#child?.kill(signal)
  }

  async close() {
    this.#closed = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  #start() {
    const child = fork(new URL('host.mjs', import.meta.url), [JSON.stringify(this.#options)])
    this.#child = child
    child.on('message', message => {
      const { ready, worker } = /** @type {HostMessage} */ (message)
      if (ready !== undefined) this.address = ready
      if (worker !== undefined) child.once('close', () => this.#died(worker))
      this.#heard(/** @type {HostMessage} */ (message))
    })
    child.once('exit', () => {
      this.address = undefined
      this.ended++
      if (!this.#closed) this.#start()
    })
  }
}
