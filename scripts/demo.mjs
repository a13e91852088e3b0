#!/usr/bin/env node
/** `npm run demo [-- "a prompt"]`: sets up what is missing, then makes an image with the embedded model. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { main } from './setup/main.mjs'
import { root } from './setup/paths.mjs'
import { setup } from './setup.mjs'

const prompt = process.argv.slice(2).join(' ') || 'a red heart on a white background'

main(() => {
  setup()
  const cli = join(root, 'dist', 'cli', 'main.js')
  const output = join(root, 'out', 'demo.png')
  mkdirSync(join(root, 'out'), { recursive: true })
  const { status, signal } = spawnSync(
    process.execPath,
    [cli, 'generate', prompt, '--model', join(root, 'models', 'tiny'), '--output', output],
    { stdio: 'inherit' }
  )
  process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1)
})
