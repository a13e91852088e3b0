/**
 * Runs before each test file that is listed as one without LibTorch (vitest.config.ts), and in the processes that it starts.
 * Several of these files run side by side, so a file that loads the addon fails.
 */
import { fileURLToPath } from 'node:url'

const dlopen = process.dlopen
process.dlopen = (...args) => {
  if (String(args[1]).endsWith('wuerstchen.node'))
    throw new Error('This test file loads LibTorch: name what it loads it by in ENGINE of vitest.config.ts')
  return dlopen.apply(process, args)
}

const again = `--import=${fileURLToPath(import.meta.url)}`
if (process.env.NODE_OPTIONS?.includes(again) !== true)
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} ${again}`.trim()
