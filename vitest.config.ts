import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.mjs'],
    // Makes the model that most tests run on.
    globalSetup: 'test/support/global-setup.mjs',
    // A child process a file: an addon that crashes takes only its own file along, and none shares LibTorch's threads.
    pool: 'forks',
    // LibTorch brings its own threads; more files at once would only compete for the same cores.
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000
  }
})
