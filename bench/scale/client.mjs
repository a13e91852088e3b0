/**
 * One job as a client sees it, who comes back until it knows how it ended: to another server, with the same Idempotency-Key.
 * @typedef {{ name: string, key: string, way: 'job' | 'wait' | 'stream', images: number, cancels: boolean }} Wish
 * @typedef {{ state: string, error?: string, twice?: string }} Told how it ended, and what of that was said in another way
 * @typedef {Told & { wish: Wish, seconds: number }} End
 * @typedef {{ server: () => string | undefined, until: () => number }} Options any server that answers, and when to give up
 * @typedef {{ b64_json: string, seed: number }} Image
 */

const OVER = new Set(['succeeded', 'failed', 'cancelled'])
/** What is said while a server ends or cannot reach its queue: whoever comes again gets another answer. */
const PASSING = new Set(['no_worker', 'queue_unreachable', 'queue_full', 'queue_share_full', 'shutting_down'])
const PAUSE_MS = 100
const [LEAVES_MS, WAITS_MS] = [150, 10_000]

/**
 * @param {Wish} wish
 * @param {Options} options
 * @returns {Promise<End>}
 */
export async function askFor(wish, options) {
  const began = performance.now()
  const end = await (wish.way === 'job' ? followJob(wish, options) : waitFor(wish, options))
  return { wish, ...end, seconds: (performance.now() - began) / 1000 }
}

/**
 * Takes it on, cancels it perhaps, and looks until it is over.
 * @param {Wish} wish @param {Options} options @returns {Promise<Told>}
 */
async function followJob(wish, { server, until }) {
  const id = await submit(wish, { server, until })
  if (id === undefined) return { state: 'never accepted' }
  let cancelled = !wish.cancels
  while (performance.now() < until()) {
    const view = await read(server(), `/v1/jobs/${id}`, wish)
    if (view?.status === 404 || view?.status === 410) return { state: 'lost', error: `HTTP ${view.status}` }
    const { status, error } = view?.body ?? {}
    if (OVER.has(status)) return { state: status, error: error?.message, ...(await agree(wish, id, status, { server, until })) }
    if (view?.status === 200 && !cancelled) {
      cancelled = true
      await read(server(), `/v1/jobs/${id}`, wish, { method: 'DELETE' })
    }
    await pause()
  }
  return { state: 'lost', error: 'not over in time' }
}

/**
 * Waits for the images, or reads their stream; leaves in the middle once, and comes back with the same key.
 * @param {Wish} wish @param {Options} options @returns {Promise<Told>}
 */
async function waitFor(wish, { server, until }) {
  const stream = wish.way === 'stream'
  const body = JSON.stringify({ prompt: wish.name, n: wish.images, ...(stream ? { stream } : {}) })
  const headers = { 'content-type': 'application/json', 'idempotency-key': wish.name }
  /** @type {string | undefined} */
  let first
  for (let tries = 0; performance.now() < until(); tries++) {
    const signal = AbortSignal.timeout(tries === 0 ? LEAVES_MS : WAITS_MS)
    const reply = await read(server(), '/v1/images/generations', wish, { method: 'POST', headers, body, signal })
    const images = reply === undefined ? undefined : imagesOf(reply.body)
    if (images !== undefined && images.length === wish.images) {
      const seen = JSON.stringify(images.map(({ b64_json, seed }) => [b64_json, seed]).sort())
      if (!images.every(isRight(wish)) || (first !== undefined && first !== seen))
        return { state: 'succeeded', twice: `${first}, then ${seen}` }
      if (first !== undefined) return { state: 'succeeded' }
      first = seen
    }
    const error = reply === undefined ? undefined : errorOf(reply.body)
    if (error !== undefined && !PASSING.has(error.code)) return { state: 'failed', error: error.message }
    await pause()
  }
  return { state: 'lost', error: 'not answered in time' }
}

/** Of a reply, or of the events of a stream. @param {any} body @returns {Image[] | undefined} */
function imagesOf(body) {
  if (typeof body !== 'string') return body.data
  return [...body.matchAll(/^event: image_generation\.completed\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''))
}

/** A stream says at its end what is wrong. @param {any} body @returns {{ code: string, message: string } | undefined} */
function errorOf(body) {
  if (typeof body !== 'string') return body.error
  const [, data] = /^event: error\ndata: (.*)$/m.exec(body) ?? []
  return data === undefined ? undefined : JSON.parse(data).error
}

/**
 * Until somebody has said that it is taken on.
 * @param {Wish} wish @param {Options} options
 * @returns {Promise<string | undefined>}
 */
async function submit(wish, { server, until }) {
  const body = JSON.stringify({ endpoint: '/v1/images/generations', body: { prompt: wish.name, n: wish.images } })
  const headers = { 'content-type': 'application/json', 'idempotency-key': wish.name }
  while (performance.now() < until()) {
    const reply = await read(server(), '/v1/jobs', wish, { method: 'POST', headers, body })
    if (reply?.status === 202) return reply.body.id
    await pause()
  }
  return undefined
}

/**
 * Whether all servers say the same of a job that is over, and go on saying it.
 * @param {Wish} wish @param {string} id @param {string} status @param {Options} options
 * @returns {Promise<{ twice?: string }>}
 */
async function agree(wish, id, status, { server, until }) {
  /** @type {string | undefined} */
  let first
  for (let times = 0; times < 2 && performance.now() < until(); ) {
    const view = await read(server(), `/v1/jobs/${id}`, wish)
    const result = await read(server(), `/v1/jobs/${id}/result`, wish)
    if (view?.status === 200 && result !== undefined && !PASSING.has(result.body.error?.code)) {
      if (view.body.status !== status) return { twice: `${status}, then ${view.body.status}` }
      const seen = JSON.stringify(result.body.data ?? result.body.error?.code)
      if (first !== undefined && first !== seen) return { twice: `${first}, then ${seen}` }
      if (status === 'succeeded' && !result.body.data?.every(isRight(wish))) return { twice: JSON.stringify(result) }
      first = seen
      times++
    }
    await pause()
  }
  return {}
}

/** @param {Wish} wish */
function isRight(wish) {
  return (/** @type {Image} */ { b64_json: text, seed }) =>
    Buffer.from(text, 'base64').toString() === `picture of ${wish.name} with ${seed}`
}

/**
 * What a server answers; undefined where it does not.
 * @param {string | undefined} address @param {string} path @param {Wish} wish @param {RequestInit} [init]
 * @returns {Promise<{ status: number, body: any } | undefined>}
 */
async function read(address, path, { key }, init = {}) {
  if (address === undefined) return undefined
  const headers = { authorization: `Bearer ${key}`, .../** @type {Record<string, string>} */ (init.headers) }
  try {
    const reply = await fetch(address + path, { signal: AbortSignal.timeout(5000), ...init, headers })
    const text = await reply.text()
    return { status: reply.status, body: text.startsWith('{') ? JSON.parse(text) : text }
  } catch {
    return undefined
  }
}

const pause = () => new Promise(resolve => setTimeout(resolve, PAUSE_MS))
