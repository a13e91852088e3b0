import { Option, type Command } from 'commander'
import { FLOAT_DTYPES } from '../dtypes.js'
import { kebab } from './flags.js'
import { runPython } from './python.js'

/** The flags are those of scripts/pull.py (tested), which checks their values. */
export function addPull(program: Command): void {
  program
    .command('pull')
    .description('fetch a checkpoint from the Hugging Face hub, and --export it (needs Python)')
    .argument('<repository>', "the decoder's: owner/name or owner/name@revision, for example warp-ai/wuerstchen")
    .requiredOption('--out <dir>', 'new directory for the checkpoint; with --export, the model directory')
    .option('--revision <revision>', 'branch, tag or commit of the repository; other repositories have theirs after an @')
    .option('--prior <repository>', "the prior's repository or directory (default: what belongs to the decoder's)")
    .option('--prior-text-encoder <repository>', 'what has the text encoder of a prior by itself')
    .option('--decoder-text-encoder <repository>', 'what has the text encoder of a Stage B by itself')
    .option('--vqgan <repository>', "another Stage A than the decoder's")
    .option(
      '--image-encoder <repository>',
      "the image encoder's repository or directory (default: what belongs to the decoder's)"
    )
    .option('--no-image-encoder', 'without an image encoder: the model cannot read images')
    .option('--previewer <repository>', "what makes small images of Stage C's latents")
    .option('--variant <name>', 'weights of this variant where they are there, for example fp16')
    .option('--export', 'make a model directory; the checkpoint stays in the cache (needs Python with torch)')
    .addOption(new Option('--dtype <dtype>', 'what the programs compute in (default: float32)').choices(FLOAT_DTYPES))
    .addOption(new Option('--storage <dtype>', 'what the weights are stored in (default: as --dtype)').choices(FLOAT_DTYPES))
    .addOption(new Option('--device <device>', 'where the programs are made (default: cpu)').choices(['cpu', 'cuda']))
    .option('--compile', 'compile for this machine too')
    .option('--lora <file>', 'LoRA to merge; repeatable', collect)
    .option('--lora-scale <scale>', 'of each --lora in turn (default: 1.0)', collect)
    .option('--name <name>', "the model's name (default: wuerstchen)")
    .option('--license <text>', "the weights' licence (default: what the model cards say)")
    .option('--default-size <size>', 'of an image, as 1024x1024')
    .option('--json', 'print one JSON result, and no progress')
    .option('--quiet', 'print no progress')
    .action(async (repository: string, flags: Flags) => {
      process.exitCode = await runPython('pull.py', [...argumentsOf(flags), '--', repository])
    })
}

type Flags = Record<string, string | boolean | string[]>

const collect = (value: string, before: string[] = []) => [...before, value]

/** Flags as they were given. A value may begin with a hyphen, so it stands behind an equals sign. */
function argumentsOf(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (typeof value === 'boolean') return [`--${value ? '' : 'no-'}${kebab(name)}`]
    return [value].flat().map(text => `--${kebab(name)}=${text}`)
  })
}
