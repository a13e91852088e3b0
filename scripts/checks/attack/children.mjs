/**
 * Runs numbered cases in child processes, many a child. The case that a child dies or hangs at is known, and the next child goes
 * on after it. A child is the same script, with `--child` and what the parent was given.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

/**
 * What came of a case. `crash`: the process died; `hang`: it was killed after its time.
 * @typedef {{ index: number, kind: string, outcome: string, detail?: string }} Outcome
 */

/**
 * @typedef {object} Plan
 * @property {string} script
 * @property {string[]} args of the child, after `--child`
 * @property {Iterable<number>} cases as many as it gives, which may depend on the time
 * @property {(index: number) => string} kindOf for the table, also of a case that its child did not survive
 * @property {(index: number) => boolean} [alone] whether a case gets a process of its own
 * @property {number} limitMs for one case
 * @property {number} [lanes]
 * @property {string[]} [nodeArgs]
 * @property {string[]} [wrapper] a command that starts the child, as `prlimit`
 * @property {number} [perChild] cases after which a child is replaced
 * @property {string} [cwd]
 * @property {(outcome: Outcome) => void} [onOutcome]
 */

/**
 * The command that gives a child so much address space and no more: what it is asked for may be any size, and the machine is not
 * ours alone. A sanitizer has its own idea of addresses.
 * @param {number} bytes
 */
export const withAddressSpace = bytes => (process.env['LD_PRELOAD'] === undefined ? ['prlimit', `--as=${bytes}`] : [])

/** A child has so long to start: it loads LibTorch, on a machine that may be busy. */
const START_MS = 120_000

/** @param {Plan} plan @returns {Promise<Outcome[]>} in the order of the cases */
export async function runCases(plan) {
  const waiting = plan.cases[Symbol.iterator]()
  /** @type {Outcome[]} */
  const outcomes = []
  const lane = async () => {
    /** @type {Child | undefined} */
    let child
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      const index = next.value
      const alone = plan.alone?.(index) ?? false
      if (child !== undefined && (alone || child.done >= (plan.perChild ?? 500))) child = await child.stop()
      child ??= await Child.start(plan)
      const outcome = { index, kind: plan.kindOf(index), ...(await child.run(index)) }
      outcomes.push(outcome)
      plan.onOutcome?.(outcome)
      if (child.over || alone) child = await child.stop()
    }
    await child?.stop()
  }
  await Promise.all(Array.from({ length: plan.lanes ?? availableParallelism() }, lane))
  return outcomes.sort((a, b) => a.index - b.index)
}

class Child {
  /** Whether it is dead, or no longer to be trusted. */
  over = false
  done = 0
  #process
  #limitMs
  #stderr = ''
  /** What the case said of itself before it began. */
  #note = ''
  /** @type {(message: { outcome: string, detail?: string, spoiled?: boolean }) => void} */
  #answer = () => {}

  /** @param {Plan} plan */
  constructor({ script, args, nodeArgs = [], wrapper = [], limitMs, cwd }) {
    const [file, ...rest] = [...wrapper, process.execPath, ...nodeArgs, script, '--child', ...args]
    this.#limitMs = limitMs
    this.#process = spawn(/** @type {string} */ (file), rest, { cwd, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#process.stderr?.setEncoding('utf8').on('data', text => {
      this.#stderr = (this.#stderr + text).slice(-4000)
    })
    this.#process.on('message', (/** @type {any} */ message) => {
      if (message.note === undefined) this.#answer(message)
      else this.#note = message.note
    })
    this.#process.on('close', (code, signal) => {
      this.over = true
      this.#answer({ outcome: 'crash', detail: `${signal ?? `exit code ${code}`} ${this.#lastWords()}` })
    })
  }

  /** @param {Plan} plan */
  static async start(plan) {
    const child = new Child(plan)
    const { outcome, detail } = await child.#next(START_MS, () => {})
    if (outcome === 'ready') return child
    await child.stop()
    throw new Error(`a child does not start: ${outcome} ${detail ?? ''}`)
  }

  /** @param {number} index @returns {Promise<{ outcome: string, detail?: string }>} */
  async run(index) {
    this.done++
    this.#note = ''
    this.#stderr = ''
    const { spoiled, ...outcome } = await this.#next(this.#limitMs, () => this.#process.send({ index }, () => {}))
    if (spoiled || outcome.outcome === 'hang') this.over = true
    return outcome
  }

  /** @returns {Promise<undefined>} */
  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const closed = new Promise(resolve => this.#process.once('close', resolve))
      this.#process.kill('SIGKILL')
      await closed
    }
    return undefined
  }

  /**
   * @param {number} limitMs
   * @param {() => void} ask
   * @returns {Promise<{ outcome: string, detail?: string, spoiled?: boolean }>}
   */
  #next(limitMs, ask) {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#answer({ outcome: 'hang', detail: this.#lastWords() }), limitMs)
      this.#answer = message => {
        clearTimeout(timer)
        this.#answer = () => {}
        resolve(message)
      }
      if (this.over) this.#answer({ outcome: 'crash', detail: 'it died between two cases' })
      else ask()
    })
  }

  #lastWords() {
    return `${this.#note} ${this.#stderr.trim().split('\n').slice(-3).join(' | ').slice(-400)}`
  }
}

/**
 * The child's side: says that it is ready, then runs each case that it is sent.
 * @param {(index: number, note: (text: string) => void) => Promise<{ outcome: string, detail?: string, spoiled?: boolean }>} run
 *   `spoiled`: the process is not fit for another case. `note` says what will be done, for when it is the last thing done
 */
export function serveCases(run) {
  process.on('message', async message => {
    const { index } = /** @type {{ index: number }} */ (message)
    try {
      process.send?.(await run(index, note => void process.send?.({ note })))
    } catch (error) {
      process.send?.({ outcome: 'the check is broken', detail: String(/** @type {Error} */ (error)?.stack), spoiled: true })
    }
  })
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.send?.({ outcome: 'ready' })
}
