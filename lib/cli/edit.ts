import type { Command } from 'commander'
import { invalid, WuerstchenError } from '../errors.js'
import type { EditOptions } from '../index.js'
import { callOptions, plannedImages, withSeed } from './flags.js'
import { withImageFlags, type ImageFlags } from './image-flags.js'
import { promptsOf, withPromptsFlag, withoutTwice } from './prompts.js'
import { runCommand } from './run.js'

interface EditFlags extends ImageFlags {
  prompts?: string
}

export function addEdit(program: Command): void {
  const command = program
    .command('edit')
    .description('change images to what a prompt says')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files; one alone is changed to what each of many prompts says')
    .option('--prompt <text>', 'what the images are to show')
    .option(
      '--mask <file>',
      "image of the first one's size: white is changed, black is kept; alpha: what is transparent in the images is changed (a file of that name is ./alpha)"
    )
  withImageFlags(withPromptsFlag(command), 'edit').action(edit)
}

async function edit(files: string[], flags: EditFlags): Promise<void> {
  const prompts = await promptsOf(flags.prompt === undefined ? [] : [flags.prompt as string], flags.prompts)
  if (prompts === undefined)
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      'Expected --prompt TEXT or --prompts FILE for edit but there is none: its arguments are images',
      {
        subject: 'prompt'
      }
    )
  const many = prompts.prompt.length
  const images = files.length === 1 ? new Array<string>(many).fill(files[0]!) : files
  if (many > 1 && many !== images.length)
    throw invalid('--prompts', `one prompt or ${images.length}, as many as there are images,`, prompts.prompt)
  const chosen = callOptions<EditOptions>('edit', flags)
  const options = withSeed({ ...chosen, ...withoutTwice(prompts, chosen, flags.n ?? 1) })
  const each = many === 1 ? images.map(() => prompts.prompt[0]!) : prompts.prompt
  const planned = plannedImages(each, flags.n ?? 1, options)
  await runCommand(flags, { planned, stages: 2 }, (pipeline, hooks) =>
    pipeline.edit(images, { ...options, prompt: each, ...hooks })
  )
}
