import { Command } from 'commander'
import { otherNamesOf } from '../options/known.js'
import { kebab } from './flags.js'

/** Flags of other programs, spelt too differently from ours to be found by edit distance, that are no options of the library. */
const OTHER_FLAGS: Readonly<Record<string, readonly string[]>> = {
  out: ['output'],
  outfile: ['output'],
  outdir: ['output'],
  file: ['output', 'prompts'],
  o: ['output'],
  input: ['from-image'],
  image: ['from-image'],
  ckpt: ['model'],
  checkpoint: ['model'],
  m: ['model'],
  gpu: ['device'],
  precision: ['dtype'],
  half: ['dtype'],
  fp16: ['dtype'],
  bf16: ['dtype'],
  size: ['width', 'height'],
  resolution: ['width', 'height'],
  w: ['width'],
  h: ['height'],
  promptsfile: ['prompts'],
  promptfile: ['prompts'],
  fromfile: ['prompts'],
  overwrite: ['no-clobber'],
  nooverwrite: ['no-clobber'],
  force: ['no-clobber'],
  branch: ['revision'],
  commit: ['revision'],
  ref: ['revision'],
  tag: ['revision'],
  lowvram: ['residency'],
  silent: ['quiet']
}

/**
 * A command that knows what others call its flags. Commander alone looks for flags that are spelt alike, and would suggest
 * `--seeds` for `--steps`.
 */
export class HintingCommand extends Command {
  override createCommand(name?: string): HintingCommand {
    return new HintingCommand(name)
  }

  /** Commander calls it for a flag that it does not know. It is not in its types. */
  protected unknownOption(flag: string): void {
    const hints = hintsFor(flag, this)
    if (hints.length > 0)
      this.error(`error: unknown option '${flag}'\n(Did you mean ${hints.join(' or ')}?)`, { code: 'commander.unknownOption' })
    const next = (Command.prototype as unknown as { unknownOption: (flag: string) => void }).unknownOption
    next.call(this, flag)
  }
}

function hintsFor(flag: string, command: Command): string[] {
  const plain = flag.toLowerCase().replace(/[^a-z0-9]/g, '')
  const names = [...otherNamesOf(plain).map(kebab), ...(Object.hasOwn(OTHER_FLAGS, plain) ? OTHER_FLAGS[plain]! : [])]
  return command.options
    .filter(({ long, short }) => names.some(name => long === `--${name}` || short === `-${name}`))
    .map(({ long, short }) => long ?? short!)
}
