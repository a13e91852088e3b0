import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { createProgram } from '../../lib/cli/program.js'

/** What the command line says of a flag that it does not know. */
function answer(...args: string[]): string {
  const program = createProgram()
  let said = ''
  for (const command of [program, ...program.commands])
    command.configureOutput({ writeErr: text => (said += text) }).exitOverride()
  expect(() => program.parse(args, { from: 'user' })).toThrow(CommanderError)
  return said
}

test.each([
  ['generate', '--steps', '--prior-steps or --decoder-steps'],
  ['decode', '--steps', '--decoder-steps'],
  ['generate', '--num-inference-steps', '--decoder-steps'],
  ['generate', '--cfg', '--prior-guidance-scale'],
  ['generate', '--cfg-scale', '--prior-guidance-scale'],
  ['generate', '--guidance', '--prior-guidance-scale or --decoder-guidance-scale'],
  ['generate', '--n', '--num-images-per-prompt'],
  ['vary', '--n', '-n'],
  ['generate', '--out', '--output'],
  ['generate', '--neg', '--negative-prompt'],
  ['generate', '--size', '--width or --height'],
  ['generate', '--prompts-file', '--prompts'],
  ['generate', '--ckpt', '--model'],
  ['generate', '--fp16', '--dtype'],
  // Commander's own, by distance.
  ['generate', '--seeeds', '--seeds']
])('%s %s is answered with %s', (command, flag, hint) => {
  expect(answer(command, flag, '4')).toMatch(`unknown option '${flag}'\n(Did you mean ${hint}?)`)
})

test('what others call a revision', () => {
  const said = answer('pull', 'somebody/model', '--out', 'directory', '--branch', '4')
  expect(said).toBe("error: unknown option '--branch'\n(Did you mean --revision?)\n")
})

test('a flag that nobody knows gets no hint', () => {
  expect(answer('generate', '--constructor')).toBe("error: unknown option '--constructor'\n")
})
