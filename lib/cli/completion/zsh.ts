import type { CommandTree, OptionTree } from './tree.js'

/** A completion function for zsh, for a file `_wuerstchen` in its `fpath`, or for `source` after `compinit`. */
export function zshCompletion(commands: readonly CommandTree[]): string {
  return `#compdef wuerstchen
_wuerstchen() {
  local context state state_descr line
  local -A opt_args
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
${commands.map(({ name, text }) => `        ${quote(`${name}:${text}`)}`).join('\n')}
      )
      _describe command commands ;;
    argument)
      case $words[1] in
${commands.map(caseOf).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _wuerstchen ]]; then _wuerstchen "$@"; else compdef _wuerstchen wuerstchen; fi
`
}

function caseOf({ name, options, choices }: CommandTree): string {
  const specs = [...options.flatMap(specsOf), quote(choices === undefined ? '*:file:_files' : `1:value:(${choices.join(' ')})`)]
  return `        ${name})\n          _arguments ${specs.join(' \\\n            ')} ;;`
}

function specsOf({ flags, text, value, choices }: OptionTree): string[] {
  const shown = text.replace(/[[\]\\:]/g, '\\$&')
  const action = !value ? '' : choices === undefined ? ':value:_files' : `:value:(${choices.join(' ')})`
  const others = flags.length > 1 ? `(${flags.join(' ')})` : ''
  return flags.map(flag => quote(`${others}${flag}${value && flag.startsWith('--') ? '=' : ''}[${shown}]${action}`))
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
