import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import sharp from 'sharp'
import { Place } from '../scale/hosts.mjs'
import { RedisServer } from '../scale/redis.mjs'
import { DEFAULT_STEPS } from './kinds.mjs'
import { LOADS } from './load.mjs'
import { MODEL } from '../scale/fleet.mjs'
import { startFleet } from './real.mjs'
import { mean } from './statistics.mjs'
/** @import { Load, Point } from './load.mjs' */

/** Pictures of the packaged model's default steps, as text: the queue is measured, and no engine. */
const STEP_MS = 10
const STEPS = DEFAULT_STEPS.priorSteps + DEFAULT_STEPS.decoderSteps
/**
 * What a report costs is seen with one worker, what a worker costs with jobs that are over soon: the longer a job takes, the more
 * of what is counted is what the fleet costs idle.
 */
const PLACES = [
  { servers: 1, workers: 1, steps: 2 },
  { servers: 1, workers: 1 },
  { servers: 1, workers: 1, stepMs: 50 },
  { servers: 1, workers: 4, steps: 2 },
  { servers: 2, workers: 4, steps: 2 },
  { servers: 1, workers: 8, steps: 2 },
  { servers: 2, workers: 8, steps: 2 },
  { servers: 1, workers: 12, steps: 2 }
]
/** Of those that are over soon. */
const TIMES = 4

/**
 * What Redis does in all for servers and workers, idle and with jobs.
 * @param {{ model: string, idleSeconds: number, jobs: number, say: (line: string) => void }} options
 * @returns {Promise<Point[]>}
 */
export async function countQueue({ model, idleSeconds, jobs: few, say }) {
  /** @type {Point[]} */
  const points = []
  for (const { servers, workers, steps = STEPS, stepMs = STEP_MS } of PLACES) {
    const jobs = steps === STEPS ? few : TIMES * few
    const redis = await RedisServer.start()
    const shared = { queue: redis.url, steps, stepMs, limits: { maxQueued: 10_000, maxQueuedPerKey: 10_000 } }
    const all = [
      ...Array.from({ length: servers }, () => new Place({ ...shared, role: 'server' })),
      ...Array.from({ length: workers }, () => new Place({ ...shared, role: 'worker', limits: {}, models: { tiny: model } }))
    ]
    const client = new Redis(redis.url)
    try {
      while (all.some(({ address }) => address === undefined)) await delay(100)
      await delay(4000)
      const idle = divide(await during(client, () => delay(1000 * idleSeconds)), idleSeconds)
      const began = performance.now()
      // One after another, and each on an idle fleet: what many at a time cost less is not counted on.
      const sum = await during(client, async () => {
        for (let index = 0; index < jobs; index++) await ask(placeOf(index))
      })
      const seconds = (performance.now() - began) / 1000
      const job = divide(subtract(sum, divide(idle, 1 / seconds)), jobs)
      const reports = await meanReports(client)
      points.push({ servers, workers, reports, idle, job })
      say(
        `${servers} servers, ${workers} workers, ${reports.toFixed(1)} reports: idle ${text(idle)} a second; ${text(job)} a job`
      )
    } finally {
      client.disconnect()
      await Promise.all(all.map(place => place.close()))
      await redis.stop()
    }
    /** @param {number} index */
    function placeOf(index) {
      return /** @type {string} */ (all[index % servers]?.address)
    }
  }
  return points
}

/**
 * Of steps alone, by the messages of jobs that are known yet: two are states, and two come with the image.
 * @param {Redis} client
 */
async function meanReports(client) {
  const keys = await client.keys('{wuerstchen}:job:*')
  const messages = await Promise.all(keys.map(key => client.hget(key, 'seq')))
  return mean(messages.map(Number)) - 4
}

/** @param {string} address */
async function ask(address) {
  const body = JSON.stringify({ model: 'tiny', prompt: 'a red house by the sea', response_format: 'b64_json' })
  const headers = { 'content-type': 'application/json' }
  const reply = await fetch(`${address}/v1/images/generations`, { method: 'POST', headers, body })
  if (!reply.ok) throw new Error(`Expected an image but received HTTP ${reply.status}: ${await reply.text()}`)
  await reply.arrayBuffer()
}

const PROMPT = { model: MODEL, prompt: 'a red house by the sea', size: '256x256' }
const IMAGE = 'data:image/png;base64,'

/** A job of each kind. @type {Record<string, { path: string, body: object }>} */
const KINDS = {
  'an image, waited for': { path: '/v1/images/generations', body: PROMPT },
  'four images, waited for': { path: '/v1/images/generations', body: { ...PROMPT, n: 4 } },
  'an image with the preset fast': { path: '/v1/images/generations', body: { ...PROMPT, preset: 'fast' } },
  'an image as a stream with two previews': {
    path: '/v1/images/generations',
    body: { ...PROMPT, stream: true, partial_images: 2 }
  },
  'an embedding of a text': { path: '/v1/image-embeddings', body: { model: MODEL, prompt: 'a red house by the sea' } },
  'a variation of an image of 256×256': { path: '/v1/images/variations', body: { model: MODEL, size: '256x256', image: IMAGE } }
}

/**
 * What a job of each kind costs the queue of one server and one worker, with the packaged model.
 * @param {{ model: string, idleSeconds: number, jobs: number, say: (line: string) => void }} options
 * @returns {Promise<Record<string, Load>>}
 */
export async function countKinds({ model, idleSeconds, jobs, say }) {
  const fleet = await startFleet(model, 1, 100)
  const client = new Redis(fleet.redis)
  const noise = await sharp(randomBytes(3 * 256 * 256), { raw: { width: 256, height: 256, channels: 3 } })
    .png()
    .toBuffer()
  const whole = (/** @type {object} */ body) =>
    'image' in body ? { ...body, image: `${IMAGE}${noise.toString('base64')}` } : body
  try {
    await delay(4000)
    const idle = divide(await during(client, () => delay(1000 * idleSeconds)), idleSeconds)
    /** @type {Record<string, Load>} */
    const kinds = {}
    for (const [kind, { path, body }] of Object.entries(KINDS)) {
      const began = performance.now()
      const sum = await during(client, async () => {
        for (let index = 0; index < jobs; index++) await fleet.post(path, whole(body))
      })
      kinds[kind] = divide(subtract(sum, divide(idle, 1000 / (performance.now() - began))), jobs)
      say(`${kind}: ${text(kinds[kind])}`)
    }
    return kinds
  } finally {
    client.disconnect()
    await fleet.close()
  }
}

/**
 * What Redis did meanwhile.
 * @param {Redis} client @param {() => Promise<unknown>} act
 * @returns {Promise<Load>}
 */
async function during(client, act) {
  const before = await read(client)
  await act()
  return subtract(await read(client), before)
}

/** @param {Redis} client @returns {Promise<Load>} */
async function read(client) {
  const info = await client.info('all')
  const field = (/** @type {string} */ name) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1])
  const calls = [...info.matchAll(/^cmdstat_[^:]*:calls=(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
  return {
    commands: calls,
    seconds: field('used_cpu_user_main_thread') + field('used_cpu_sys_main_thread'),
    sent: field('total_net_output_bytes'),
    received: field('total_net_input_bytes')
  }
}

/** @param {Load} a @param {Load} b */
function subtract(a, b) {
  return of(name => a[name] - b[name])
}

/** @param {Load} load @param {number} by */
function divide(load, by) {
  return of(name => load[name] / by)
}

/** @param {(name: keyof Load) => number} value @returns {Load} */
function of(value) {
  return /** @type {Load} */ (Object.fromEntries(LOADS.map(name => [name, value(name)])))
}

/** @param {Load} load */
function text({ commands, seconds, sent, received }) {
  return `${commands.toFixed(1)} commands, ${(1000 * seconds).toFixed(2)} ms, ${sent.toFixed(0)} B out, ${received.toFixed(0)} B in`
}
