#!/usr/bin/env node
// node bench/serve-load.mjs [--requests 1000] [--model DIR] [--burst]: a server that gets ten times what it can do. It
// reports whether everything that was taken on was finished, how soon the rest was refused, memory, event loop, health probes,
// and how soon the full rate is back. --burst sends all at once instead of at ten times the rate. docs/verification.md has the
// aims. Exit code 1 where a request got any other answer than 200 or 503; whoever reads the times judges them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { root } from './places.mjs'
import { interrupted } from './process.mjs'
import { clientOf, closedLoop, quantile, startOurs } from './serve-process.mjs'
/** @import { Reply } from './serve-process.mjs' */

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000' },
    model: { type: 'string', default: join(root, 'models', 'tiny') },
    threads: { type: 'string', default: '2' },
    queue: { type: 'string', default: '16' },
    burst: { type: 'boolean', default: false }
  }
})
const BODY = { prompt: 'a red house by the sea', size: '128x128', prior_steps: 10, decoder_steps: 4 }
/** As many as the engine's batch holds: a full engine. */
const CLIENTS = 8

const server = await startOurs(flags.model, { threads: Number(flags.threads), flags: ['--max-queued', flags.queue] })
try {
  const client = clientOf(server.url, Number(flags.requests))
  const post = () => client.post('/v1/images/generations', BODY)
  await closedLoop(CLIENTS, 3 * CLIENTS, post)
  const full = await closedLoop(CLIENTS, 6 * CLIENTS, post)
  const before = await memoryOf(server.pid)
  await lag()
  const probes = probeHealth(server.url)
  const replies = await overload(full.perSecond, post)
  const health = await probes.stop()
  const eventLoop = await lag()
  const peak = await memoryOf(server.pid)
  // Whoever comes within a second of the overload's end.
  const after = await closedLoop(CLIENTS, 6 * CLIENTS, post)
  const settled = await memoryOf(server.pid)
  client.close()
  report({ full, after, replies, health, eventLoop, before, peak, settled })
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  process.exitCode = 130
} finally {
  await server.stop()
}

/**
 * @param {number} perSecond
 * @param {() => Promise<Reply>} post
 */
async function overload(perSecond, post) {
  const gap = flags.burst ? 0 : 1000 / (10 * perSecond)
  const began = performance.now()
  return Promise.all(
    Array.from({ length: Number(flags.requests) }, async (_, index) => {
      await new Promise(resolve => setTimeout(resolve, Math.max(0, began + index * gap - performance.now())))
      return post()
    })
  )
}

/**
 * @typedef {{ perSecond: number }} Rate
 * @typedef {{ now: number, most: number }} Memory in bytes
 * @param {{ full: Rate, after: Rate, replies: Reply[], health: number[], eventLoop: number, before: Memory, peak: Memory,
 *   settled: Memory }} facts
 */
function report({ full, after, replies, health, eventLoop, before, peak, settled }) {
  /** @param {number} status @param {number} share */
  const ms = (status, share) => {
    const values = replies.filter(reply => reply.status === status).map(reply => reply.ms)
    return values.length === 0 ? 'none' : `${quantile(values, share).toFixed(1)} ms`
  }
  /** @param {number} status */
  const count = status => replies.filter(reply => reply.status === status).length
  const others = replies.length - count(200) - count(503)
  /** @param {number} bytes */
  const mib = bytes => `${(bytes / 2 ** 20).toFixed(0)} MiB`
  /** @type {[string, string | number][]} */
  const lines = [
    ['requests', `${replies.length}, ${flags.burst ? 'at once' : 'at ten times the rate'}`],
    ['finished', count(200)],
    ['refused with 503', count(503)],
    ['answered otherwise', others],
    [
      'refused without Retry-After',
      replies.filter(({ status, headers }) => status === 503 && headers['retry-after'] === undefined).length
    ],
    ['a refusal took, p50 / p99', `${ms(503, 0.5)} / ${ms(503, 0.99)}`],
    ['a picture took, p50 / p99', `${ms(200, 0.5)} / ${ms(200, 0.99)}`],
    [
      '/livez meanwhile, p50 / p99',
      `${quantile(health, 0.5).toFixed(1)} / ${quantile(health, 0.99).toFixed(1)} ms of ${health.length}`
    ],
    ['delay of the event loop, p99', `${(eventLoop * 1000).toFixed(1)} ms`],
    [
      'pictures a second before / right after',
      `${full.perSecond.toFixed(2)} / ${after.perSecond.toFixed(2)} (${(after.perSecond / full.perSecond).toFixed(2)})`
    ],
    ['memory before / most / after', `${mib(before.now)} / ${mib(peak.most)} / ${mib(settled.now)}`]
  ]
  console.log(lines.map(([name, value]) => `${name.padEnd(42)}${value}`).join('\n'))
  process.exitCode = others === 0 ? 0 : 1
}

/** @param {number | undefined} pid */
async function memoryOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  /** @param {string} name */
  const kib = name => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024
  return { now: kib('VmRSS'), most: kib('VmHWM') }
}

/** Since the last time somebody asked: prom-client begins anew with every reading. */
async function lag() {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(text)?.[1])
}

/**
 * Asks for /livez again and again on a thread of its own: this one is busy with a thousand requests.
 * @param {string} url
 */
function probeHealth(url) {
  const worker = new Worker(
    `
    const { parentPort, workerData } = require('node:worker_threads')
    const times = []
    let stopped = false
    parentPort.once('message', () => { stopped = true })
    ;(async () => {
      while (!stopped) {
        const began = performance.now()
        await (await fetch(workerData + '/livez')).text()
        times.push(performance.now() - began)
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      parentPort.postMessage(times)
    })()`,
    { eval: true, workerData: url }
  )
  return {
    /** @returns {Promise<number[]>} milliseconds */
    stop: () =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve).once('error', reject)
        worker.postMessage('stop')
      })
  }
}
