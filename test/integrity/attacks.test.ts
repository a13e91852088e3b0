import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../support/child.js'
import { root } from '../support/small-model.js'

/** Seconds of what scripts/checks does for minutes or hours; docs/verification.md has the commands. The seeds are fixed. */
test.each<[string, string[]]>([
  ['corrupted model directories are refused or harmless', ['hostile-models.mjs', '--count', '120']],
  ['hostile calls are refused or harmless', ['hostile-calls.mjs', '--count', '600']],
  // How long one may take is for an idle machine.
  ['hostile texts have the tokens of the reference', ['hostile-texts.mjs', '--count', '400', '--most', '10000']],
  ['fuzzed files and options are refused or harmless', ['fuzz.mjs', '--seconds', '15']],
  [
    'a process ends within two steps of whatever is queued',
    [
      'ends.mjs',
      '--times',
      '1',
      '--kind',
      'stage',
      '--kind',
      'generate',
      '--end',
      'dispose',
      '--end',
      'exit',
      '--end',
      'terminate'
    ]
  ],
  [
    'memory and files that are refused are typed errors',
    ['refused-resources.mjs', '--only', 'allocations,files', '--sites', '12']
  ],
  ['aborts are prompt and change nothing beside them', ['cancel.mjs', '--times', '20', '--runs', '10']],
  ['nothing is left of a hundred calls', ['soak.mjs', '--count', '100', '--to', join(root, 'build', 'soak-test.jsonl')]]
])('%s', async (_name, [script, ...args]) => {
  const { code, stdout, stderr } = await runNode(['--expose-gc', join(root, 'scripts', 'checks', script!), ...args], {})
  expect(code, `${stdout.toString()}${stderr}`).toBe(0)
})
