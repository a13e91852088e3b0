#!/usr/bin/env node
// node bench/serve-drain.mjs [--runs 50] [--grace-seconds 6] [--model DIR]: ends a server under load with SIGTERM, again and
// again, and looks at what everybody is told. docs/verification.md says what is expected. Exit code 1 where one run is not
// clean. A test makes a few runs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { listeningAt } from './listening.mjs'
import { root } from './places.mjs'
/**
 * @import { ChildProcessByStdio } from 'node:child_process'
 * @import { IncomingMessage } from 'node:http'
 * @import { Readable } from 'node:stream'
 */

/**
 * What somebody who asked for images was told.
 * @typedef {{ status: number | string, images?: number, retryAfter?: string | null, error?: string }} Told
 */

/**
 * What came of a drain: exit code, seconds from SIGTERM to the end, what those who ran and who waited were told, whether a
 * connection after SIGTERM was refused, how many bytes of how many slow readers and streams got, and after how many seconds
 * each kind of other connection was closed.
 * @typedef {{
 *   code: number | null, seconds: number, refused: boolean, running: Told[], waiting: Told[],
 *   readers: { got: number, of: number }[], stream: string[], closed: Record<keyof typeof OTHERS, number>
 * }} Outcome
 */

const [RUNNING, WAITING, READERS] = [2, 4, 2]
const HEADERS = { 'content-type': 'application/json' }

/** Bytes a second of a slow reader. Loopback sockets hold several megabytes, so replies are made longer than that. */
const SLOW = 4e6

/** What a connection that is no whole request has sent. */
const OTHERS = {
  silent: '',
  idle: 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n',
  halfHead: 'POST /v1/images/generations HTTP/1.1\r\nHost: local',
  halfBody:
    'POST /v1/images/variations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"im'
}

/**
 * Starts a server that makes `RUNNING` pictures at once, gives it that many and `WAITING` more, and tells it to end. Meanwhile
 * slow readers fetch a long result, a job is followed, and connections are open that send nothing or half of something.
 * @param {string} model
 * @param {{ force?: boolean, graceSeconds?: number }} [options] `force`: whether it is told twice
 * @returns {Promise<Outcome>}
 */
export async function drainOnce(model, { force = false, graceSeconds = 6 } = {}) {
  const child = spawn(
    process.execPath,
    [
      join(root, 'dist', 'cli', 'main.js'),
      'serve',
      '--model',
      `m=${model}`,
      '--port',
      '0',
      '--threads',
      '1',
      '--max-running-images',
      String(RUNNING),
      '--grace-seconds',
      String(graceSeconds)
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  const closed = once(child, 'close')
  try {
    const url = await listeningAt(child)
    await poll(async () => (await fetch(`${url}/readyz`)).status === 200)
    const result = await longResult(url)
    const ask = () => post(url, { prompt: 'a cat', size: '256x256', prior_steps: 100, decoder_steps: 100 })
    const running = [ask()]
    const job = await startJob(url, { prompt: 'a cat', size: '256x256', prior_steps: 100, decoder_steps: 100 })
    const stream = eventsOf(`${url}/v1/jobs/${job}/events`)
    await poll(async () => (await figure(url, 'wuerstchen_jobs_running')) === RUNNING)
    const waiting = Array.from({ length: WAITING }, ask)
    await poll(async () => (await figure(url, 'wuerstchen_queue_depth')) === WAITING)
    const readers = await Promise.all(Array.from({ length: READERS }, () => readSlowly(result)))
    const others = await Promise.all(Object.entries(OTHERS).map(([name, sent]) => openOther(url, name, sent)))
    const told = performance.now()
    child.kill('SIGTERM')
    const ends = Promise.all(others.map(async ({ name, closedAt }) => [name, ((await closedAt) - told) / 1000]))
    // Those who waited are told at once; by then no connection is taken any more.
    const turnedAway = await Promise.all(waiting)
    const refused = await isRefused(url)
    if (force) child.kill('SIGTERM')
    const [code] = await closed
    return {
      code,
      seconds: (performance.now() - told) / 1000,
      refused,
      running: await Promise.all(running),
      waiting: turnedAway,
      readers: await Promise.all(readers.map(({ done }) => done)),
      stream: await stream,
      closed: Object.fromEntries(await ends)
    }
  } finally {
    child.kill('SIGKILL')
  }
}

/**
 * Whether a run of `drainOnce` was as it should be. Work that the grace time did not suffice for is told so: an answer too.
 * @param {Outcome} outcome
 * @param {{ graceSeconds?: number }} [options]
 */
export function isClean({ code, seconds, refused, running, waiting, readers, stream, closed }, { graceSeconds = 6 } = {}) {
  return (
    code === 0 &&
    seconds <= graceSeconds + 1 &&
    refused &&
    running.every(told => (told.status === 200 ? told.images === 1 : isRefusal(told))) &&
    waiting.length === WAITING &&
    waiting.every(isRefusal) &&
    readers.every(({ got, of }) => got === of && of > 8e6) &&
    ['succeeded', 'failed'].includes(stream.at(-1) ?? '') &&
    closed.silent < 1 &&
    closed.idle < 1 &&
    closed.halfHead <= graceSeconds + 1 &&
    closed.halfBody <= graceSeconds + 1
  )
}

/** @param {Told} told */
function isRefusal({ status, retryAfter }) {
  return status === 503 && Number(retryAfter) > 0
}

/**
 * Makes a job with a long result.
 * @param {string} url
 * @returns {Promise<string>} where its result is
 */
async function longResult(url) {
  const job = await startJob(url, { prompt: 'x', size: '1024x1024', n: 4, prior_steps: 1, decoder_steps: 1 })
  const at = `${url}/v1/jobs/${job}/result`
  await poll(async () => (await fetch(at, { method: 'HEAD' })).status === 200)
  return at
}

/** @param {string} url @param {object} body @returns {Promise<string>} its id */
async function startJob(url, body) {
  const reply = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify({ endpoint: '/v1/images/generations', body })
  })
  return /** @type {{ id: string }} */ (await reply.json()).id
}

/**
 * Resolves when a reply has begun; `done` when it has ended.
 * @param {string} url
 * @returns {Promise<{ done: Promise<{ got: number, of: number }> }>}
 */
async function readSlowly(url) {
  const [reply] = /** @type {[IncomingMessage]} */ (await once(get(url, { agent: false }), 'response'))
  let got = 0
  const done = (async () => {
    try {
      for await (const chunk of reply) {
        got += chunk.length
        await new Promise(resolve => setTimeout(resolve, (chunk.length / SLOW) * 1000))
      }
    } catch {
      // What is missing is seen in the count.
    }
    return { got, of: Number(reply.headers['content-length']) }
  })()
  return { done }
}

/** @param {string} url @returns {Promise<string[]>} the states that a job had */
async function eventsOf(url) {
  try {
    const text = await (await fetch(url)).text()
    return [...text.matchAll(/^event: job.status\ndata: (.+)$/gm)].map(([, data]) => JSON.parse(String(data)).status)
  } catch (error) {
    return [String(error)]
  }
}

/**
 * A connection that has sent something, and been answered where that is a request.
 * @param {string} url @param {string} name @param {string} sent
 */
async function openOther(url, name, sent) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.on('error', () => {})
  const closedAt = new Promise(resolve => socket.once('close', () => resolve(performance.now())))
  if (sent !== '') socket.write(sent)
  if (name === 'idle') await once(socket, 'data')
  socket.resume()
  return { name, closedAt }
}

/** @param {string} url @param {object} body @returns {Promise<Told>} */
async function post(url, body) {
  try {
    const reply = await fetch(`${url}/v1/images/generations`, { method: 'POST', headers: HEADERS, body: JSON.stringify(body) })
    const { data, error } = /** @type {{ data?: unknown[], error?: { message: string } }} */ (await reply.json())
    return { status: reply.status, images: data?.length, retryAfter: reply.headers.get('retry-after'), error: error?.message }
  } catch (error) {
    return { status: codeOf(error instanceof Error ? error.cause : undefined) ?? String(error) }
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** @param {string} url @param {string} name */
async function figure(url, name) {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1])
}

/** @param {string} url */
async function isRefused(url) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return codeOf(error) === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

/** @param {() => Promise<boolean>} holds */
async function poll(holds) {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 5))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '50' },
      'grace-seconds': { type: 'string', default: '6' },
      model: { type: 'string', default: join(root, 'models', 'tiny') }
    }
  })
  const graceSeconds = Number(values['grace-seconds'])
  let clean = 0
  for (let run = 1; run <= Number(values.runs); run++) {
    const outcome = await drainOnce(values.model, { graceSeconds })
    if (isClean(outcome, { graceSeconds })) clean++
    else console.error(`run ${run}: ${JSON.stringify(outcome)}`)
  }
  console.log(
    `${clean} of ${values.runs} runs lost no byte of an accepted answer and ended within the grace time of ${graceSeconds} s + 1 s`
  )
  process.exitCode = clean === Number(values.runs) ? 0 : 1
}
