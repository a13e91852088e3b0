import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { SetupError } from '../setup/error.mjs'
import { root } from '../setup/paths.mjs'
import { must } from './commands.mjs'

/** The last that runs on Node 20. Its node-fetch names a tag that not every mirror has. */
const registryPackage = { dependencies: { verdaccio: '6.8.0' }, overrides: { 'node-fetch': '2.7.0' } }

export const freePort = () =>
  new Promise(found => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => found(port))
    })
  })

/**
 * Starts verdaccio on loopback, and waits until it answers. Our packages are published to it alone; it gets all others from the
 * registry that npm is configured with.
 * @param {string} work
 */
export async function startRegistry(work) {
  const folder = join(work, 'registry')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, ...registryPackage }))
  const env = process.env
  if (!existsSync(join(folder, 'node_modules', 'verdaccio')))
    must(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, env })
  const upstream = must(['npm', 'config', 'get', 'registry'], { cwd: folder, env }).stdout.trim()
  const storage = join(folder, 'storage')
  // What was fetched from elsewhere stays; of ours, what is published now counts.
  for (const name of ['wuerstchen', '@wuerstchen', '.verdaccio-db.json'])
    rmSync(join(storage, name), { recursive: true, force: true })
  // JSON is YAML. Our own names are never asked for elsewhere.
  const own = { access: '$all', publish: '$all', unpublish: '$all' }
  const config = {
    storage,
    uplinks: { upstream: { url: upstream, timeout: '60s' } },
    packages: { wuerstchen: own, '@wuerstchen/*': own, '**': { access: '$all', proxy: 'upstream' } },
    max_body_size: '200mb',
    log: { type: 'stdout', level: 'warn' }
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const port = await freePort()
  const address = `http://127.0.0.1:${port}/`
  const bin = join(folder, 'node_modules', 'verdaccio', 'bin', 'verdaccio')
  const server = spawn(process.execPath, [bin, '--config', join(folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`], {
    stdio: ['ignore', 2, 2]
  })
  for (let tries = 0; tries < 600; tries++) {
    if (server.exitCode !== null) throw new SetupError('The registry ended.')
    const up = await fetch(`${address}-/ping`).then(
      reply => reply.ok,
      () => false
    )
    if (up) return { address, port, server }
    await new Promise(later => setTimeout(later, 100))
  }
  throw new SetupError('The registry does not answer.')
}

/**
 * Publishes the package of addons and the main package, and packs both.
 * @param {{ work: string, addons: string, registry: { address: string, port: number } }} options
 * @returns {string[]} the tarballs
 */
export function publishAll({ work, addons, registry: { address, port } }) {
  const env = { ...process.env, npm_config_registry: address }
  const staged = join(work, 'staged')
  must([process.execPath, join(root, 'scripts', 'release', 'stage.mjs'), '--local', '--out', staged, '--addons', addons], {
    cwd: root,
    env: process.env
  })
  return [resolve(addons), staged].map(folder => {
    // verdaccio lets anybody publish here, but npm insists on a token.
    must(['npm', 'publish', folder, '--access', 'public', `--//127.0.0.1:${port}/:_authToken=nobody`], { cwd: work, env })
    const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(
      must(['npm', 'pack', folder, '--json', '--pack-destination', work], { cwd: work, env }).stdout
    )
    console.log(
      `       ${filename}: ${(size / 1e6).toFixed(1)} MB, unpacked ${(unpackedSize / 1e6).toFixed(1)} MB, ${entryCount} files`
    )
    return join(work, filename)
  })
}
