import type { CommandTree } from './tree.js'

/** A function for bash's `complete`. All words in it are ours: letters, digits, dots and dashes. */
export function bashCompletion(commands: readonly CommandTree[]): string {
  return `# bash completion of wuerstchen
_wuerstchen() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$word"))
    return
  fi
  # After --flag=, bash has the sign as a word of its own.
  [[ $word == = ]] && word=
  [[ $previous == = ]] && previous=\${COMP_WORDS[COMP_CWORD-2]}
  case \${COMP_WORDS[1]} in
${commands.map(caseOf).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o bashdefault -o default -F _wuerstchen wuerstchen
`
}

function caseOf({ name, options, choices }: CommandTree): string {
  const withChoices = options.filter(option => option.choices !== undefined)
  const free = options.filter(option => option.value && option.choices === undefined)
  const flags = options.flatMap(option => option.flags).join(' ')
  const values = [
    ...withChoices.map(option => `        ${option.flags.join('|')}) words='${option.choices!.join(' ')}' ;;`),
    // Without words, bash completes files.
    ...(free.length === 0 ? [] : [`        ${free.flatMap(option => option.flags).join('|')}) ;;`])
  ]
  const start =
    choices === undefined
      ? `        *) [[ $word == -* ]] && words='${flags}' ;;`
      : `        *) words='${[...choices, flags].join(' ')}' ;;`
  return [`    ${name})`, '      case $previous in', ...values, start, '      esac ;;'].join('\n')
}
