import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isOnPath } from '../support/programs.mjs'
import { root } from '../support/small-model.js'

const file = join(root, 'deploy', 'systemd', 'wuerstchen.service')

/** The settings of a unit, by section and name; a line that ends in a backslash goes on. */
function settings(text: string): Map<string, string> {
  const found = new Map<string, string>()
  let section = ''
  for (const line of text.replaceAll(/\\\n\s*/g, '').split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? []
    if (name !== undefined) section = name
    else {
      const [, key, value] = /^([A-Z]\w*)=(.*)$/.exec(line) ?? []
      if (key === undefined) throw new Error(`Expected a setting but received ${line}`)
      found.set(`${section}.${key}`, value!)
    }
  }
  return found
}

const unit = settings(readFileSync(file, 'utf8'))
const command = unit.get('Service.ExecStart')!

test('the unit starts serve, and gives it more time to end than it gives its work', () => {
  const [, path] = /node_modules\/wuerstchen\/(\S+) serve /.exec(command)!
  expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).toMatchObject({ bin: { wuerstchen: path } })
  const grace = Number(/--grace-seconds (\d+)/.exec(command)![1])
  expect(Number(unit.get('Service.TimeoutStopSec'))).toBeGreaterThanOrEqual(grace + 10)
})

test('a stall ends the process, and systemd starts it again', () => {
  expect(command).toContain('--exit-on-stall')
  expect(unit.get('Service.Restart')).toBe('on-failure')
  expect(unit.get('Service.RestartPreventExitStatus')).not.toContain('70')
})

test('keys are credentials, and no part of the command line or the environment', () => {
  expect(unit.get('Service.LoadCredential')).toMatch(/^keys:\//)
  expect(command).toContain('--api-keys-file %d/keys')
})

// V8 writes machine code and runs it.
test('memory may be written and run', () => {
  expect(unit.has('Service.MemoryDenyWriteExecute')).toBe(false)
})

test.skipIf(!isOnPath('systemd-analyze') || !existsSync('/usr/bin/node'))('systemd finds nothing wrong with it', () => {
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
})
