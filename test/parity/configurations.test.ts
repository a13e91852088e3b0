import { expect, test } from 'vitest'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../support/small-model.js'

/** Three configurations that together have every kind; scripts/checks/parity/configurations.mjs runs the whole list. */
test("images of unusual configurations are diffusers' own", { timeout: 900_000 }, async () => {
  const command = join(root, 'scripts', 'checks', 'parity', 'configurations.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [command, '--quick']).catch(
    (error: { stdout: string }) => error // exit code 1: the table says why
  )
  const rows = stdout.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| Configuration'))
  expect(rows.filter(row => !/^\| [^|]+ \| \d\.\de[-+]\d+ \| [01] \| \d(\.\d)?e[-+]\d+ \| yes \|$/.test(row))).toEqual([])
  expect(stdout).toContain(`${rows.length} of ${rows.length} configurations agree`)
  expect(rows.length).toBe(3)
})
