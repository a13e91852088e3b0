import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { bashCompletion } from '../../lib/cli/completion/bash.js'
import { fishCompletion } from '../../lib/cli/completion/fish.js'
import { treeOf } from '../../lib/cli/completion/tree.js'
import { zshCompletion } from '../../lib/cli/completion/zsh.js'
import { createProgram } from '../../lib/cli/program.js'
import { has } from '../support/programs.mjs'

const program = createProgram()
const tree = treeOf(program)

/** What bash offers for the last of the words. */
function offered(...words: string[]): string[] {
  const script = `${bashCompletion(tree)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _wuerstchen; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', 'wuerstchen', ...words], { encoding: 'utf8' })
    .split('\n')
    .filter(word => word !== '')
}

describe('bash', () => {
  test('offers the commands', () => {
    expect(offered('')).toEqual([...program.commands.map(command => command.name()), 'help', '--help', '--version'])
    expect(offered('gen')).toEqual(['generate'])
  })

  test.each(program.commands.map(command => command.name()))('offers every flag of %s', name => {
    const own = program.commands.find(command => command.name() === name)!.options.map(({ long }) => long)
    expect(offered(name, '--')).toEqual(expect.arrayContaining(own.filter(long => long?.startsWith('--'))))
  })

  test('offers the values of a flag that has a choice of them, and files for others', () => {
    expect(offered('generate', '--format', '')).toEqual(['png', 'jpeg', 'webp'])
    expect(offered('generate', '--format', '=', 'w')).toEqual(['webp'])
    expect(offered('generate', '--format', '=')).toEqual(['png', 'jpeg', 'webp'])
    expect(offered('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']))
    expect(offered('generate', '--output', 'x')).toEqual([])
    expect(offered('generate', 'x')).toEqual([])
  })
})

describe.each([
  ['zsh', zshCompletion, '-n'],
  ['fish', fishCompletion, '--no-execute']
] as const)('%s', (shell, complete, check) => {
  test('is told every command, flag and choice', () => {
    const script = complete(tree)
    for (const command of program.commands) {
      expect(script).toContain(command.name())
      for (const { long } of command.options) expect(script).toContain((long ?? '').replace(/^--/, ''))
    }
    expect(script).toMatch(/png jpeg webp/)
  })

  test.runIf(has(shell))('can read it', () => {
    expect(execFileSync(shell, [check, '-c', complete(tree)], { encoding: 'utf8' })).toBe('')
  })
})

test.runIf(has('fish'))('fish offers flags and values', () => {
  const ask = (line: string) =>
    execFileSync('fish', ['-c', `${fishCompletion(tree)}\ncomplete -C '${line}'`], { encoding: 'utf8' })
  expect(ask('wuerstchen generate --form')).toMatch(/^--format\t/)
  expect(
    ask('wuerstchen generate --format ')
      .split('\n')
      .map(line => line.split('\t')[0])
  ).toEqual(expect.arrayContaining(['png', 'jpeg', 'webp']))
})
