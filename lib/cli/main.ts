#!/usr/bin/env node
import { CommanderError } from 'commander'
import { exitCodeOf, failureOf, report } from './outcome.js'
import { createProgram, wantsJson } from './program.js'

// A reader that closes the pipe early (`| head`) is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const program = createProgram()
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) report(error)
  process.exitCode = exitCodeOf(error)
  if (process.exitCode !== 0 && wantsJson(program, process.argv.slice(2)))
    process.stdout.write(`${JSON.stringify({ error: failureOf(error) })}\n`)
}
