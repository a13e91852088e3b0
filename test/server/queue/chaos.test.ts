import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { describeOnQueues } from '../../support/queues.js'
import { root } from '../../support/small-model.js'

describeOnQueues('a fleet of which everything is killed', kind => {
  test('loses nothing, answers nothing in two ways, and fails nothing without a true reason', { timeout: 600_000 }, async () => {
    const args = ['--chaos', '--seconds', '15', '--jobs', '60', '--seed', '3', '--queue', kind, '--json']
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'bench', 'scale.mjs'), ...args])
    const told = JSON.parse(stdout) as Record<string, number>
    expect(told).toMatchObject({ asked: 60, accepted: 60, lost: 0, seenTwice: 0, unexplained: [] })
    expect(told['finished']! + told['failed']! + told['cancelled']!).toBe(60)
    // It is no test of anything unless something was killed.
    expect(told['workersKilled']).toBeGreaterThan(0)
    expect(told['restarts']).toBeGreaterThan(0)
  })
})
