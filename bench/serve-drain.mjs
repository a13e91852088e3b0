#!/usr/bin/env node
// node bench/serve-drain.mjs [--runs 20] [--model DIR]: ends a server under load with SIGTERM, again and again, and looks at what
// everybody is told. docs/verification.md says what is expected. Exit code 1 where one run is not clean. A test makes a few runs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { root } from './places.mjs'
/**
 * @import { ChildProcessByStdio } from 'node:child_process'
 * @import { Readable } from 'node:stream'
 */

/**
 * What somebody who asked for images was told.
 * @typedef {{ status: number | string, images?: number, retryAfter?: string | null, error?: string }} Told
 */

/**
 * What came of a drain: exit code, what those who ran and who waited were told, and whether a connection after SIGTERM was
 * refused.
 * @typedef {{ code: number | null, refused: boolean, running: Told[], waiting: Told[] }} Outcome
 */

const [RUNNING, WAITING] = [2, 4]
const HEADERS = { 'content-type': 'application/json' }

/**
 * Starts a server that makes `RUNNING` pictures at once, gives it that many and `WAITING` more, and tells it to end.
 * @param {string} model
 * @param {{ force?: boolean }} [options] `force`: whether it is told twice
 * @returns {Promise<Outcome>}
 */
export async function drainOnce(model, { force = false } = {}) {
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
      '3600'
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  const closed = once(child, 'close')
  try {
    const url = await listeningAt(child)
    await poll(async () => (await fetch(`${url}/readyz`)).status === 200)
    const ask = () => post(url, { prompt: 'a cat', size: '256x256', prior_steps: 100, decoder_steps: 100 })
    const running = Array.from({ length: RUNNING }, ask)
    await poll(async () => (await figure(url, 'wuerstchen_jobs_running')) === RUNNING)
    const waiting = Array.from({ length: WAITING }, ask)
    await poll(async () => (await figure(url, 'wuerstchen_queue_depth')) === WAITING)
    child.kill('SIGTERM')
    // Those who waited are told at once; by then no connection is taken any more.
    const told = await Promise.all(waiting)
    const refused = await isRefused(url)
    if (force) child.kill('SIGTERM')
    const [code] = await closed
    return { code, refused, running: await Promise.all(running), waiting: told }
  } finally {
    child.kill('SIGKILL')
  }
}

/**
 * Whether a run of `drainOnce` was as it should be.
 * @param {Outcome} outcome
 */
export function isClean({ code, refused, running, waiting }) {
  return (
    code === 0 &&
    refused &&
    running.every(({ status, images }) => status === 200 && images === 1) &&
    waiting.length === WAITING &&
    waiting.every(({ status, retryAfter }) => status === 503 && Number(retryAfter) > 0)
  )
}

/** @param {ChildProcessByStdio<null, Readable, null>} child */
async function listeningAt(child) {
  for await (const line of createInterface(child.stdout)) {
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
    if (address === undefined) continue
    child.stdout.resume()
    return address
  }
  throw new Error('The server ended before it listened')
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
    options: { runs: { type: 'string', default: '20' }, model: { type: 'string', default: join(root, 'models', 'tiny') } }
  })
  let clean = 0
  for (let run = 1; run <= Number(values.runs); run++) {
    const outcome = await drainOnce(values.model)
    if (isClean(outcome)) clean++
    else console.error(`run ${run}: ${JSON.stringify(outcome)}`)
  }
  console.log(`${clean} of ${values.runs} runs were clean`)
  process.exitCode = clean === Number(values.runs) ? 0 : 1
}
