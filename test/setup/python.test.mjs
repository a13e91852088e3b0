import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { output } from '../../lib/install/libtorch.mjs'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { pins, unfinished } from '../../scripts/setup/python.mjs'
import { requirements } from '../../scripts/setup/paths.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-python-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

test("a project's own modules are not taken for Python's, nor run", () => {
  for (const name of ['contextlib', 'json', 'platform', 'torch', 'venv'])
    writeFileSync(
      join(folder, `${name}.py`),
      `open(${JSON.stringify(join(folder, 'run'))}, "a").write(${JSON.stringify(name)})\n`
    )
  const script = `
    const { findLibtorch, places } = await import(${JSON.stringify(join(root, 'lib/install/libtorch.mjs'))})
    const { missingPackages } = await import(${JSON.stringify(join(root, 'scripts/setup/python.mjs'))})
    findLibtorch(places({}, undefined), () => false)
    console.log(missingPackages('python3', [${JSON.stringify(requirements)}])?.length)`
  const answer = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' })
  expect(answer.trim()).toMatch(/^\d$/)
  expect(existsSync(join(folder, 'run'))).toBe(false)
})

test('a program that cannot be run prints nothing, and does not throw', () => {
  expect(output(join(folder, 'python'), [])).toBeUndefined()
  expect(output('python3\0', [])).toBeUndefined()
})

// The order in which pip 26 writes a package: its files, METADATA, then INSTALLER and RECORD.
test('what pip had only begun is not taken for installed', () => {
  const python = join(folder, 'python')
  writeFileSync(python, `#!/bin/sh\nPYTHONPATH='${folder}' exec python3 "$@"\n`)
  chmodSync(python, 0o755)
  for (const name of ['pip', ...pins(requirements).map(pin => pin.name)]) {
    mkdirSync(join(folder, `${name}-1.0.dist-info`))
    writeFileSync(join(folder, `${name}-1.0.dist-info`, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`)
    writeFileSync(join(folder, `${name}-1.0.dist-info`, 'INSTALLER'), 'pip\n')
  }
  writeFileSync(join(folder, 'pip.py'), '')
  expect(unfinished(python)).toEqual([])
  rmSync(join(folder, 'torch-1.0.dist-info', 'INSTALLER'))
  expect(unfinished(python)).toEqual([{ name: 'torch', state: 'begun' }])
  writeFileSync(join(folder, 'pip.py'), 'raise ImportError("half of pip")')
  expect(unfinished(python)).toBeUndefined()
})
