import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../support/child.js'
import { root } from '../support/small-model.js'

test('an installed package exports with the Python that its set-up has prepared', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-python-'))
  try {
    for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(folder, 'package', name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'package', 'node_modules'))
    const bin = join(folder, 'native', 'venv', 'bin')
    mkdirSync(bin, { recursive: true })
    writeFileSync(join(bin, 'python'), '#!/bin/sh\necho prepared "$@"\n')
    chmodSync(join(bin, 'python'), 0o755)
    const env = { WUERSTCHEN_ADDON_DIR: join(folder, 'native') }
    const { stdout } = await runNode([join(folder, 'package', 'dist', 'cli', 'main.js'), 'export', '--out', 'x'], { env })
    expect(stdout.toString()).toBe(`prepared ${join(folder, 'package', 'scripts', 'export.py')} --out x\n`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
