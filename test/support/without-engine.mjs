/**
 * Runs before each test file that is said to do without LibTorch (see vitest.config.ts), and in the processes that it starts:
 * several of
 * them run side by side, so one that loads the addon after all fails.
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
