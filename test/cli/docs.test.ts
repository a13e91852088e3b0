import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createProgram } from '../../lib/cli/program.js'
import { root } from '../support/small-model.js'

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(file => file.endsWith('.md'))
    .map(file => join('docs', file))
]
const program = createProgram()

/** What stands behind `wuerstchen <command>` on a line or in code within a line. */
function callsIn(page: string): { command: string; flags: string[] }[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/\bwuerstchen ([a-z]+)\b([^\n`|]*)/g)].map(([, command, rest]) => ({
    command: command!,
    flags: rest!.replace(/"[^"]*"|#.*/g, '').match(/(?<=\s)--?[a-z][a-z-]*/g) ?? []
  }))
}

/** The flags that a command knows; undefined for one that passes its flags on to a script. */
function flagsOf(command: Command): string[] | undefined {
  if (['export', 'setup'].includes(command.name())) return undefined
  return command.options.flatMap(({ short, long }) => [short, long]).filter(flag => flag !== undefined)
}

test.each(program.commands.map(command => [command.name(), command] as const))(
  'the help of %s names defaults as users know them',
  (_, command) => {
    expect(command.helpInformation()).not.toMatch(/default: (\[|undefined|null|true|false|\))/)
  }
)

describe('every call of the command line in the documentation', () => {
  test.each(pages)('in %s is of a command that there is, with flags that it knows', page => {
    for (const { command, flags } of callsIn(page)) {
      const known = program.commands.find(each => each.name() === command)
      if (known === undefined) {
        expect(flags, `wuerstchen ${command} in ${page}`).toEqual([])
        continue
      }
      const own = flagsOf(known)
      if (own !== undefined)
        expect(
          flags.filter(flag => ![...own, '--help', '-h'].includes(flag)),
          `wuerstchen ${command}`
        ).toEqual([])
    }
  })
})

test('every command stands in the documentation', () => {
  const documented = new Set(pages.flatMap(callsIn).map(({ command }) => command))
  expect(program.commands.map(command => command.name()).filter(name => !documented.has(name))).toEqual([])
})
