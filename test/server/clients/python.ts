import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { pythonClients } from '../../../scripts/setup/clients.mjs'
import { root, withDirectory } from '../../support/small-model.js'
import { KEY, PICTURE, served } from './server.js'
import { works, type Calls } from './table.js'

let ran: Promise<Record<string, string>> | undefined

/** What became of each call of clients.py, which makes all of them in one process: its imports take longer than its calls. */
function outcomes(): Promise<Record<string, string>> {
  return (ran ??= served(({ url }) =>
    withDirectory(async directory => {
      const image = join(directory, 'heart.png')
      writeFileSync(image, PICTURE)
      const script = join(root, 'test', 'server', 'clients', 'clients.py')
      const output = await new Promise<string>((resolve, reject) => {
        execFile(join(pythonClients, 'bin', 'python'), [script, url, KEY, image], (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(stderr))
        )
      })
      return JSON.parse(output) as Record<string, string>
    })
  ))
}

const call = (name: string) =>
  works(async () => {
    expect((await outcomes())[name]).toBe('ok')
  })

export const OPENAI_PYTHON: Calls = {
  '`images.generate`, all fields of gpt-image-1': call('openai generate'),
  '`images.generate`, dall-e-3 with `url`': call('openai url'),
  '`images.generate` with `stream`': call('openai stream'),
  '`images.edit` with a mask': call('openai edit'),
  '`images.create_variation`': call('openai variation'),
  '`models.list`, `models.retrieve`': call('openai models'),
  '`delete` with its content type': call('openai delete')
}

export const LANGCHAIN_PYTHON: Calls = { '`DallEAPIWrapper`': call('langchain wrapper') }

export const WEBUIAPI: Calls = {
  '`txt2img`': call('webuiapi txt2img'),
  '`img2img` with a mask': call('webuiapi img2img'),
  '`get_options`, `set_options`, lists': call('webuiapi options'),
  '`get_progress`, `interrupt`': call('webuiapi progress')
}
