import type { CommandTree, OptionTree } from './tree.js'

/** Lines for fish's `complete`. */
export function fishCompletion(commands: readonly CommandTree[]): string {
  const lines = commands.flatMap(({ name, text, options, choices }) => [
    `complete -c wuerstchen -n __fish_use_subcommand -f -a ${name} -d ${quote(text)}`,
    ...(choices === undefined ? [] : [`complete -c wuerstchen -n ${seen(name)} -f -a ${quote(choices.join(' '))}`]),
    ...options.map(option => `complete -c wuerstchen -n ${seen(name)} ${optionOf(option)}`)
  ])
  return ['# fish completion of wuerstchen', ...lines, ''].join('\n')
}

const seen = (name: string) => quote(`__fish_seen_subcommand_from ${name}`)

function optionOf({ flags, text, value, choices }: OptionTree): string {
  const names = flags.map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  // -r asks for a value, -x for one that is no file.
  const values = !value ? [] : choices === undefined ? ['-r'] : [`-x -a ${quote(choices.join(' '))}`]
  return [...names, ...values, `-d ${quote(text)}`].join(' ')
}

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
