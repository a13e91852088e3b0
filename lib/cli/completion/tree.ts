import type { Command } from 'commander'

/** What a shell completes, taken from the commands themselves. */
export interface CommandTree {
  name: string
  text: string
  options: OptionTree[]
  /** The values of its first argument; undefined if that is anything, such as a file. */
  choices: readonly string[] | undefined
}

export interface OptionTree {
  /** `-o` and `--output`, as far as there are both. */
  flags: string[]
  text: string
  /** Whether a value follows. */
  value: boolean
  /** undefined: a value is anything, such as a file. */
  choices: readonly string[] | undefined
}

/** The visible commands of a program, each with its visible flags. */
export function treeOf(program: Command): CommandTree[] {
  const help = program.createHelp()
  return help.visibleCommands(program).map(command => ({
    name: command.name(),
    text: command.description(),
    options: help.visibleOptions(command).map(({ short, long, description, required, optional, argChoices }) => ({
      flags: [short, long].filter(flag => flag !== undefined),
      text: description,
      value: required || optional,
      choices: argChoices
    })),
    choices: command.registeredArguments[0]?.argChoices
  }))
}
