import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../support/child.js'
import { root } from '../support/small-model.js'

/** Three configurations that together have every kind; scripts/checks/parity/configurations.mjs runs the whole list. */
test("images of unusual configurations are diffusers' own", { timeout: 900_000 }, async () => {
  const command = join(root, 'scripts', 'checks', 'parity', 'configurations.mjs')
  const { code, stdout, stderr } = await runNode([command, '--quick'], {})
  const rows = stdout.toString().split('\n')
  const measured = rows.filter(row => /^\| [^|]+ \| \d(\.\d)?e[-+]\d+ \| [01] \| \d(\.\d)?e[-+]\d+ \| yes \|$/.test(row))
  expect(measured.length, `${stdout.toString()}${stderr}`).toBe(3)
  expect(code).toBe(0)
})
