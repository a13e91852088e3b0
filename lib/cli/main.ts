#!/usr/bin/env node
import { CommanderError } from 'commander'
import { exitCodeOf, report } from './outcome.js'
import { createProgram } from './program.js'

// A reader that closes the pipe early (`| head`) is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  await createProgram().parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) report(error)
  process.exitCode = exitCodeOf(error)
}
