import { Argument, type Command } from 'commander'
import { bashCompletion } from './completion/bash.js'
import { fishCompletion } from './completion/fish.js'
import { treeOf } from './completion/tree.js'
import { zshCompletion } from './completion/zsh.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print what makes a shell complete commands, flags and their values')
    .addArgument(new Argument('<shell>', 'whose script to print').choices(Object.keys(SHELLS)))
    .addHelpText('after', HOW)
    .action((shell: keyof typeof SHELLS) => {
      process.stdout.write(SHELLS[shell](treeOf(program)))
    })
}

const HOW = `
bash: wuerstchen completion bash > ~/.local/share/bash-completion/completions/wuerstchen
zsh:  wuerstchen completion zsh > a folder of $fpath, as _wuerstchen
fish: wuerstchen completion fish > ~/.config/fish/completions/wuerstchen.fish`
