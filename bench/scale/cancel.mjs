import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { randomOf } from '../fleet/random.mjs'
import { quantile } from '../fleet/statistics.mjs'
import { ask, submit } from './asking.mjs'
import { Fleet } from './fleet.mjs'
import { ms, plain } from './outcome.mjs'

/** @import { EngineMessage } from './engine-host.mjs' */
/** @import { ModeOptions, Outcome } from './outcome.mjs' */
/** @typedef {{ replied: number, told: number, stopped: number, stepMs: number }} Cancel milliseconds since the client sent it */

const MOST_MS = 1000
const [PRIOR, DECODER] = [60, 30]
const BODY = { size: '512x512', prior_steps: PRIOR, decoder_steps: DECODER }
/** After that long an engine that goes on is taken for one that was not told. */
const GIVEN_UP_MS = 30_000

/**
 * Cancels of running jobs through a server that did not take them: when the engine of the worker has stopped.
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function cancel({ model, short, say }) {
  const count = short ? 3 : 100
  const random = randomOf(1)
  const fleet = await Fleet.start()
  const host = await startHost(fleet.redis.url, model)
  try {
    const [taking, other] = [await fleet.server(), await fleet.server()]
    await fleet.untilOffered(1)
    /** @type {Cancel[]} */
    const seen = []
    for (let index = 0; index < count; index++) {
      const job = `picture ${index}`
      // In the prior and in the decoder, and anywhere in a step.
      const steps = 3 + random.below(PRIOR + DECODER - 10)
      const running = host.step(job, steps)
      const id = await submit(taking.url, { ...BODY, prompt: job })
      await running
      await delay(random.between(0, 50))
      const began = now()
      const stopped = host.hears('stopped', job)
      const told = host.hears('told', job)
      const { status, body } = await ask(other.url, `/v1/jobs/${id}`, { method: 'DELETE' })
      if (status !== 200 || body.status !== 'cancelled')
        throw new Error(`Expected a cancel but received HTTP ${status}: ${JSON.stringify(body)}`)
      const replied = now() - began
      const end = await Promise.race([stopped, delay(GIVEN_UP_MS)])
      if (end === undefined) {
        say(`${job} was not stopped`)
        continue
      }
      seen.push({ replied, told: (await told).at - began, stopped: end.at - began, stepMs: end.stepMs })
      if (seen.length % 10 === 0) say(`${seen.length} of ${count}`)
    }
    return outcome(seen, count)
  } finally {
    host.close()
    await fleet.close()
  }
}

/** @param {readonly Cancel[]} seen @param {number} count @returns {Outcome} */
function outcome(seen, count) {
  const row = (/** @type {string} */ name, /** @type {number[]} */ values, /** @type {(value: number) => string} */ format) => [
    name,
    ...[format(quantile(values, 0.5)), format(quantile(values, 0.99)), format(Math.max(...values))]
  ]
  const prompt = seen.filter(({ stopped, stepMs }) => stopped <= Math.max(MOST_MS, stepMs)).length
  return {
    tables: [
      [
        [`${count} cancels of running jobs, 512×512`, 'p50', 'p99', 'longest'],
        row('the server has replied', valuesOf('replied'), ms),
        row('the worker is told', valuesOf('told'), ms),
        row('its engine has stopped', valuesOf('stopped'), ms),
        row(
          '… in steps of the job',
          seen.map(({ stopped, stepMs }) => stopped / stepMs),
          plain
        ),
        row('a step takes', valuesOf('stepMs'), ms)
      ]
    ],
    targets: [
      {
        name: `engines that have stopped within ${MOST_MS} ms or one step`,
        aim: `${count} of ${count}`,
        ...{ seen: `${prompt} of ${count}`, met: prompt === count }
      }
    ],
    figures: { seen }
  }

  /** @param {keyof Cancel} name */
  function valuesOf(name) {
    return seen.map(each => each[name])
  }
}

/** The clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6

/** @param {string} queue @param {string} model */
async function startHost(queue, model) {
  const options = JSON.stringify({ queue, model, threads: availableParallelism() })
  const child = fork(new URL('engine-host.mjs', import.meta.url), [options])
  /** @param {EngineMessage['event']} event @param {string} [job] @param {number} [times] @returns {Promise<EngineMessage>} */
  const hears = (event, job, times = 1) =>
    new Promise(resolve => {
      let count = 0
      child.on('message', function listener(received) {
        const message = /** @type {EngineMessage} */ (received)
        if (message.event !== event || message.job !== job || ++count < times) return
        child.off('message', listener)
        resolve(message)
      })
    })
  const ended = new Promise((_, reject) => child.once('exit', code => reject(new Error(`The worker has ended with ${code}`))))
  await Promise.race([hears('ready'), ended])
  ended.catch(() => {})
  return {
    hears,
    /** Resolves at that step of the job. @param {string} job @param {number} steps */
    step: (job, steps) => hears('step', job, steps),
    close: () => child.kill('SIGKILL')
  }
}
