// Servers as child processes, and requests in a closed loop; for serve-load.mjs and serve-compare.mjs.
import { spawn } from 'node:child_process'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { listeningAt } from './listening.mjs'
import { root } from './places.mjs'
import { interrupted } from './process.mjs'
/**
 * @import { IncomingHttpHeaders, RequestOptions } from 'node:http'
 * @import { Environment } from './process.mjs'
 */

/**
 * A process that answers. `signal` sends it one, `ended` resolves with its exit code.
 * @typedef {{
 *   url: string, pid: number | undefined, signal: (name: NodeJS.Signals) => void, ended: Promise<number | null>,
 *   stop: () => Promise<void>
 * }} Server
 */

/**
 * A reply, with the milliseconds until all of it was there.
 * @typedef {{ status: number | undefined, headers: IncomingHttpHeaders, bytes: number, ms: number }} Reply
 */

/**
 * `wuerstchen serve`, ready.
 * @param {string} model
 * @param {{ threads: number, flags?: string[] }} options
 */
export async function startOurs(model, { threads, flags = [] }) {
  const server = await start(process.execPath, [
    join(root, 'dist', 'cli', 'main.js'),
    'serve',
    '--model',
    `m=${model}`,
    '--port',
    '0',
    '--threads',
    String(threads),
    '--log-level',
    'info',
    ...flags
  ])
  await untilReady(server)
  return server
}

/**
 * A server that says where it listens. Ctrl-C ends it, and the requests that wait for it.
 * @param {string} command
 * @param {string[]} args
 * @param {Environment} [env] added to this process's
 * @returns {Promise<Server>}
 */
export async function start(command, args, env = {}) {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    signal: interrupted.signal,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe']
  })
  /** @type {Promise<number | null>} */
  const ended = new Promise(resolve => child.once('exit', code => resolve(code)))
  const url = await listeningAt(child)
  return {
    ...{ url, pid: child.pid, ended },
    signal: name => void child.kill(name),
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    }
  }
}

/** @param {Pick<Server, 'url'>} server */
export async function untilReady({ url }) {
  while ((await fetch(`${url}/readyz`)).status !== 200) await new Promise(resolve => setTimeout(resolve, 100))
}

/**
 * A client with its own connections. It uses node:http, for that costs least: client and server share the machine.
 * @param {string} url
 * @param {number} connections
 */
export function clientOf(url, connections) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const { hostname, port } = new URL(url)
  return {
    close: () => agent.destroy(),
    /** @param {string} path @param {object} body */
    post: (path, body) =>
      send({ hostname, port, agent, path, method: 'POST', headers: { 'content-type': 'application/json' } }, JSON.stringify(body))
  }
}

/**
 * @param {RequestOptions} options
 * @param {string} body
 * @returns {Promise<Reply>}
 */
function send(options, body) {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const sent = request(options, reply => {
      let bytes = 0
      reply.on('data', chunk => {
        bytes += chunk.length
      })
      reply.on('end', () => resolve({ status: reply.statusCode, headers: reply.headers, bytes, ms: performance.now() - began }))
      reply.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/**
 * `count` calls, `clients` at a time, each after the one before.
 * @param {number} clients
 * @param {number} count
 * @param {(index: number) => Promise<unknown>} call
 */
export async function closedLoop(clients, count, call) {
  let next = 0
  const began = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < count) await call(next++)
    })
  )
  return { seconds: (performance.now() - began) / 1000, perSecond: count / ((performance.now() - began) / 1000) }
}

/**
 * The value below which a share of the sorted values lies.
 * @param {number[]} values
 * @param {number} share
 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
