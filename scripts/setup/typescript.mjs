import { createRequire } from 'node:module'
import { chmodSync, cpSync, existsSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fingerprint, readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { run, say } from './run.mjs'
import { root } from './paths.mjs'

/**
 * Compiles `lib/` to `dist/`, unless it was compiled from the same sources. A published package has `dist/`, and only the part of
 * `lib/` that the set-up needs, so there is nothing to compile.
 * @returns {boolean} whether there was something to build
 */
export function buildTypescript() {
  if (!existsSync(join(root, 'tsconfig.build.json'))) return false
  const dist = join(root, 'dist')
  const record = join(dist, '.build.json')
  const sources = fingerprint(
    root,
    ['lib', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map(name => join(root, name))
  )
  if (readRecord(record)?.sources === sources) return false

  say('compiling TypeScript to dist')
  // The output of a deleted file must not be left behind.
  rmSync(dist, { recursive: true, force: true })
  const tsc = join(dirname(createRequire(join(root, 'package.json')).resolve('typescript/package.json')), 'bin', 'tsc')
  const page = join('lib', 'server', 'page')
  // The web page runs in browsers. It has other globals, and files that are served unchanged.
  for (const project of ['tsconfig.build.json', page])
    run(process.execPath, [tsc, '--project', project], { cwd: root, fixes: ['Read the first error above.'] })
  cpSync(join(root, page), join(dist, 'server', 'page'), {
    recursive: true,
    filter: file => statSync(file).isDirectory() || /\.(html|css|svg)$/.test(file)
  })
  const cli = join(dist, 'cli', 'main.js')
  if (existsSync(cli)) chmodSync(cli, 0o755)
  writeRecord(record, { sources })
  return true
}
