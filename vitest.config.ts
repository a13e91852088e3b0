import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { has } from './test/support/programs.mjs'

/** What only the real addon, or a process that loads it, is asked for. */
const ENGINE =
  /\b(?:Pipeline\.load|Stage\.load|Tensor\.from|loadAddon|loadFrom|machineReport|withPipeline|withListening|withPage|createServer|startServer|runScript|runCommandLine|runNode|spawn|spawnSync|drainOnce)\(/

const sourceOf = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')

const files = readdirSync(new URL('test', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter(name => /\.test\.(ts|mjs)$/.test(name))
  .map(name => `test/${name}`)
  // npm test says what it leaves out.
  .filter(file => has('chromium') || !sourceOf(file).includes('/with-page.js'))

/** Whether a test file loads LibTorch. test/support/without-engine.mjs fails one that does although this says no. */
function needsEngine(file: string): boolean {
  const source = sourceOf(file)
  return !/vi\.mock\('[./]+lib\/load\/addon\.js', \(\) =>/.test(source) && ENGINE.test(source)
}

export default defineConfig({
  test: {
    // A child process a file: an addon that crashes takes only its own file along, and none shares LibTorch's threads.
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: 'test/support/global-setup.mjs',
    projects: [
      {
        extends: true,
        test: {
          name: 'fake',
          include: files.filter(file => !needsEngine(file)),
          setupFiles: 'test/support/without-engine.mjs',
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 }
        }
      },
      {
        extends: true,
        test: {
          name: 'engine',
          include: files.filter(needsEngine),
          // LibTorch brings its own threads; more files at once would only compete for the same cores.
          maxWorkers: 1,
          sequence: { groupOrder: 1 }
        }
      }
    ]
  }
})
