#!/usr/bin/env node
/**
 * Looks at the package as npm would publish it: publint at what package.json says, attw at how TypeScript finds the types.
 * Needs no network. Ends with 1 if one of them finds something.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { root } from '../setup/paths.mjs'

/** Whoever requires an ES module gets it from Node itself, in every version that is advertised (require(esm)). */
const ALLOWED = 'cjs-resolves-to-esm'

const work = mkdtempSync(join(tmpdir(), 'wuerstchen-package-'))
try {
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], { cwd: root, encoding: 'utf8' })
  )
  const tarball = join(work, filename)
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer }, strict: true })
  for (const message of messages) console.log(`publint: ${formatMessage(message, pkg, { color: false })}`)

  const attw = spawnSync(
    join(root, 'node_modules', '.bin', 'attw'),
    [tarball, '--no-definitely-typed', '--no-color', '--no-emoji', '--ignore-rules', ALLOWED],
    { stdio: 'inherit' }
  )
  if (messages.length > 0 || attw.status !== 0) process.exitCode = 1
} finally {
  rmSync(work, { recursive: true })
}
