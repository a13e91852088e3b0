import { parseArgs } from 'node:util'
import { SetupError, setupErrorText } from './error.mjs'
import { say } from './run.mjs'

/**
 * Runs the steps of a command. An error that the user can fix is printed as text, and any other with its stack.
 * @param {() => void | Promise<void>} steps
 */
export async function main(steps) {
  try {
    await steps()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    say(setupErrorText(error))
    process.exitCode = 1
  }
}

/**
 * The options on the command line.
 * @param {import('node:util').ParseArgsConfig['options']} known
 * @returns {Record<string, any>}
 */
export function options(known) {
  try {
    return parseArgs({ options: known }).values
  } catch (error) {
    throw new SetupError(/** @type {Error} */ (error).message, ['Run it with --help to see the options.'])
  }
}
