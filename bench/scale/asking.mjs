import { setTimeout as delay } from 'node:timers/promises'

/** @typedef {{ status: number, body: any, ms: number }} Answer */

/**
 * @param {string} url @param {string} path
 * @param {{ method?: string, key?: string | undefined, body?: object, withinMs?: number }} [options]
 * @returns {Promise<Answer>} status 0 where there was no answer
 */
export async function ask(url, path, { method, key, body, withinMs = 600_000 } = {}) {
  const began = performance.now()
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` })
  }
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  try {
    const signal = AbortSignal.timeout(withinMs)
    const reply = await fetch(url + path, { ...init, ...(method === undefined ? {} : { method }), headers, signal })
    const text = await reply.text()
    return { status: reply.status, body: text.startsWith('{') ? JSON.parse(text) : text, ms: performance.now() - began }
  } catch (error) {
    return { status: 0, body: String(error), ms: performance.now() - began }
  }
}

/**
 * Takes a job on. @param {string} url @param {object} body of /v1/images/generations @param {string} [key]
 * @returns {Promise<string>} its id
 */
export async function submit(url, body, key) {
  const answer = await ask(url, '/v1/jobs', { key, body: { endpoint: '/v1/images/generations', body } })
  if (answer.status !== 202) throw new Error(`Expected a job but received HTTP ${answer.status}: ${JSON.stringify(answer.body)}`)
  return answer.body.id
}

/**
 * @template T @param {() => Promise<T | undefined>} look @param {number} [everyMs]
 * @returns {Promise<T>} what it finds at last
 */
export async function until(look, everyMs = 50) {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await delay(everyMs)
  }
}
