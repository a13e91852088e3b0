#!/usr/bin/env node
// node bench/serve-hostile.mjs [--model DIR] [--heap MB]: sends a server what it has to withstand, and measures meanwhile how
// long /livez takes, the memory of the process, and whether another key is served. docs/verification.md says what is expected.
// Exit code 1 where one of them is not met.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { listeningAt } from './listening.mjs'
import { root } from './places.mjs'
import { quantile } from './serve-process.mjs'
/** @import { Socket } from 'node:net' */

const MIB = 1024 * 1024
/** A little less than `maxBodyBytes`. */
const LARGE = 31 * MIB
const KEYS = { ann: 'a'.repeat(24), bob: 'b'.repeat(24), ops: 'o'.repeat(24) }
const [GENERATIONS, VARIATIONS] = ['/v1/images/generations', '/v1/images/variations']

/** @param {string} piece @param {number} [bytes] */
const times = (piece, bytes = LARGE) => piece.repeat(Math.floor(bytes / piece.length))
/** @param {string} name @param {string} value */
const part = (name, value) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

/** Bodies by what is wrong with them, each for a route that may have large ones. @type {Record<string, () => string>} */
const SHAPES = {
  'unknown keys': () => `{${Array.from({ length: 2_900_000 }, (_, index) => `"k${index}":1`).join(',')}}`,
  'nested arrays': () => `{"image":${times('[')}`,
  'nested arrays, closed': () => `{"image":${times('[', LARGE / 2)}${times(']', LARGE / 2)}}`,
  'nested objects': () => `{"image":${times('{"a":')}`,
  'small arrays': () => `{"image":[${times('[],')}[]]}`,
  'many seeds': () => `{"image":"AAAA","seeds":[${times('7,')}7]}`,
  'objects for a prompt': () => `{"prompt":[${times('{},')}{}]}`,
  'the same key again and again': () => `{${times('"prompt":"x",')}"prompt":"x"}`,
  prototypes: () => `{${times('"__proto__":{"a":1},')}"prompt":"x"}`,
  'escaped quotes': () => `{"image":"${times('\\"')}"}`,
  'escaped letters': () => `{"image":"${times('\\u0041')}"}`,
  'a number without end': () => `{"seed":${times('1')}}`,
  blanks: () => `${times(' ')}{}`,
  quotes: () => times('"'),
  'a text that is none': () => `{"prompt":"${times('é')}"}`,
  'a key as long as a file': () => `{"${times('A')}":1}`,
  'base64 of no image': () => `{"image":"${times('AAAA')}"}`,
  'a form with JSON that is deep': () => `${part('prompt', 'x')}${part('seeds', times('[', 120_000))}--b--\r\n`,
  'a form with many seeds': () => `${part('prompt', 'x')}${part('seeds', `[${times('7,', 120_000)}7]`)}--b--\r\n`,
  'a form of near boundaries': () =>
    `${part('prompt', 'x')}--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n${times('\r\n--')}\r\n--b--\r\n`
}

const { values: flags } = parseArgs({
  options: { model: { type: 'string', default: join(root, 'models', 'tiny') }, heap: { type: 'string', default: '512' } }
})
const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-hostile-'))
writeFileSync(join(folder, 'keys'), `ann:${KEYS.ann}\nbob:${KEYS.bob}\nops:${KEYS.ops}:admin\n`)
const child = spawn(
  process.execPath,
  [
    join(root, 'dist', 'cli', 'main.js'),
    'serve',
    ...['--model', `m=${flags.model}`, '--port', '0', '--threads', '1', '--log-level', 'info'],
    ...['--api-keys-file', join(folder, 'keys')]
  ],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: `--max-old-space-size=${flags.heap}` } }
)
let failed = false
try {
  const { hostname, port } = new URL(await listeningAt(child))
  const url = `http://${hostname}:${port}`
  const place = { host: hostname, port: Number(port) }
  while ((await fetch(`${url}/readyz`)).status !== 200) await pause(100)
  console.log('| what comes | it is told | `/livez` p99, ms | most, ms | memory, MiB | another key |')
  console.log('|---|---|---|---|---|---|')
  await measure(url, 'nothing', () => pause(1000).then(() => 'nothing'))
  for (const [name, make] of Object.entries(SHAPES)) {
    const body = Buffer.from(make())
    const type = name.startsWith('a form') ? 'multipart/form-data; boundary=b' : 'application/json'
    await measure(url, name, () => send(place, VARIATIONS, type, body))
  }
  await measure(url, '100 MB with their length', () => send(place, VARIATIONS, 'application/json', Buffer.alloc(1e8, 0x41)))
  await measure(url, '100 MB in chunks', () => sendChunks(place, 1e8, MIB))
  await measure(url, '8 MB in chunks of a byte', () => sendChunks(place, 8e6, 1))
  await measure(url, '16 chunked senders of one key, 20 MB each', async () => {
    const senders = await Promise.all(Array.from({ length: 16 }, () => openChunked(place, 20e6)))
    const code = await otherKey(url)
    for (const { socket } of senders) socket.destroy()
    return code === 200 ? [...new Set(senders.map(({ told }) => told()))].sort().join(', ') : `but another key gets ${code}`
  })
  await measure(url, '17 slow senders of one key that claim 31 MB', async () => {
    const head = headOf(VARIATIONS, 'application/json', LARGE)
    const sockets = await Promise.all(Array.from({ length: 17 }, () => opened(place)))
    for (const socket of sockets) socket.write(`${head}{"image":"`)
    await pause(500)
    const code = await otherKey(url)
    for (const socket of sockets) socket.destroy()
    return code === 200 ? 'waits' : `but another key gets ${code}`
  })
  await measure(url, '1,000 idle connections', async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => opened(place)))
    const code = await otherKey(url)
    for (const socket of sockets) socket.destroy()
    return code === 200 ? 'waits' : `but another key gets ${code}`
  })
  await measure(url, '100 variations as jobs with 19 MiB each, cancelled', () => keptUploads(url))
  if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}`)
} catch (error) {
  failed = true
  console.error(error)
} finally {
  child.kill('SIGKILL')
  await rm(folder, { recursive: true })
}
process.exitCode = failed ? 1 : 0

/**
 * Asks /livez again and again while something is done, and then for a picture with another key.
 * @param {string} url @param {string} name @param {() => Promise<string | number>} act
 */
async function measure(url, name, act) {
  const probe = new Worker(new URL('./probe-worker.mjs', import.meta.url), { workerData: `${url}/livez` })
  let most = 0
  const watching = setInterval(() => {
    most = Math.max(most, memory())
  }, 20)
  const told = await act()
  probe.postMessage(100)
  const [{ times: all, failed: silent }] = await once(probe, 'message')
  const times = /** @type {number[]} */ (all)
  clearInterval(watching)
  await probe.terminate()
  const other = await otherKey(url)
  const p99 = quantile(times, 0.99)
  const ok = silent === '' && other === 200 && p99 < 100 && !String(told).startsWith('but')
  failed ||= !ok
  const figures = [p99.toFixed(0), Math.max(...times).toFixed(0), (most / MIB).toFixed(0)]
  console.log(`| ${name} | ${told} | ${figures.join(' | ')} | ${other} |${ok ? '' : ` NOT MET ${silent}`}`)
}

/** @param {string} url @returns {Promise<number>} */
async function otherKey(url) {
  const reply = await fetch(`${url}${GENERATIONS}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEYS.bob}` },
    body: '{"prompt":"x","size":"128x128","prior_steps":1,"decoder_steps":1}'
  })
  await reply.arrayBuffer()
  return reply.status
}

/** Bytes of the server that are in memory. */
function memory() {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

/** @param {string} path @param {string} type @param {number | undefined} length */
function headOf(path, type, length) {
  const framing = length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEYS.ann}\r\nContent-Type: ${type}\r\n${framing}\r\n\r\n`
}

/** @param {{ host: string, port: number }} place */
async function opened(place) {
  const socket = connect(place)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves when more can be written, or never will. @param {Socket} socket @returns {Promise<void>} */
function drained(socket) {
  return new Promise(resolve => {
    const end = () => {
      socket.off('drain', end).off('close', end)
      resolve()
    }
    socket.on('drain', end).on('close', end)
  })
}

/** The status of the first reply, or that the connection was closed. @param {Socket} socket @returns {Promise<string>} */
async function statusOf(socket) {
  return new Promise(resolve => {
    let text = ''
    socket.on('data', data => {
      text += data.toString('latin1')
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? []
      if (status !== undefined) resolve(status)
    })
    socket.on('close', () => resolve('closed'))
  })
}

/** @param {{ host: string, port: number }} place @param {string} path @param {string} type @param {Buffer} body */
async function send(place, path, type, body) {
  const socket = await opened(place)
  const status = statusOf(socket)
  socket.write(headOf(path, type, body.length))
  socket.write(body)
  const told = await status
  socket.destroy()
  return told
}

/** @param {{ host: string, port: number }} place @param {number} bytes @param {number} size of a chunk */
async function sendChunks(place, bytes, size) {
  const socket = await opened(place)
  const status = statusOf(socket)
  socket.write(`${headOf(VARIATIONS, 'application/json', undefined)}c\r\n{"image": "A\r\n`)
  const chunk = `${size.toString(16)}\r\n${'A'.repeat(size)}\r\n`
  const block = chunk.repeat(Math.ceil(MIB / chunk.length))
  for (let sent = 0; sent < bytes && socket.writable; sent += (block.length / chunk.length) * size) {
    if (!socket.write(block)) await drained(socket)
  }
  if (socket.writable) socket.write('2\r\n"}\r\n0\r\n\r\n')
  const told = await status
  socket.destroy()
  return told
}

/** Sends a part of a chunked body and keeps the rest back. @param {{ host: string, port: number }} place @param {number} bytes */
async function openChunked(place, bytes) {
  const socket = await opened(place)
  let told = 'waits'
  void statusOf(socket).then(status => {
    told = status
  })
  socket.write(`${headOf(VARIATIONS, 'application/json', undefined)}c\r\n{"image": "A\r\n`)
  const block = `${MIB.toString(16)}\r\n${'A'.repeat(MIB)}\r\n`
  for (let sent = 0; sent < bytes && socket.writable && told === 'waits'; sent += MIB) {
    if (!socket.write(block)) await Promise.race([drained(socket), pause(500)])
  }
  return { socket, told: () => told }
}

/** Jobs that bring a large file and are cancelled: what they brought goes with them. @param {string} url */
async function keptUploads(url) {
  const png = readFileSync(join(root, 'docs', 'pictures', 'readme.png'))
  // What is behind the end of a PNG is not looked at.
  const image = Buffer.concat([png, Buffer.alloc(19 * MIB - png.length)]).toString('base64')
  const body = JSON.stringify({ endpoint: VARIATIONS, body: { image, size: '128x128', prior_steps: 1, decoder_steps: 1 } })
  const headers = { authorization: `Bearer ${KEYS.ann}` }
  const before = memory()
  for (let count = 0; count < 100; count++) {
    const reply = await fetch(`${url}/v1/jobs`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body
    })
    const { id } = /** @type {{ id: string }} */ (await reply.json())
    if (reply.status !== 202) return `but the job is refused with ${reply.status}`
    await (await fetch(`${url}/v1/jobs/${id}`, { method: 'DELETE', headers })).arrayBuffer()
  }
  const grown = memory() - before
  return grown < 256 * MIB ? `${(grown / MIB).toFixed(0)} MiB more` : `but ${(grown / MIB).toFixed(0)} MiB more stay`
}

/** @param {number} ms @returns {Promise<void>} */
function pause(ms) {
  return new Promise(resolve => setTimeout(resolve, ms))
}
