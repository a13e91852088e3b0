import type { Command } from 'commander'
import { VERSION } from '../version.js'
import { addBench } from './bench.js'
import { addCompletion } from './completion.js'
import { addDecode } from './decode.js'
import { addDoctor } from './doctor.js'
import { addEdit } from './edit.js'
import { addEncode } from './encode.js'
import { addExport } from './export.js'
import { addGenerate } from './generate.js'
import { HintingCommand } from './hints.js'
import { addInspect } from './inspect.js'
import { addMix } from './mix.js'
import { addPull } from './pull.js'
import { addReconstruct } from './reconstruct.js'
import { addServe } from './serve.js'
import { addSetup } from './setup.js'
import { addVary } from './vary.js'
import { addWorker } from './worker.js'

/** The commands, one file each. */
const COMMANDS = [
  addGenerate,
  addVary,
  addEdit,
  addReconstruct,
  addEncode,
  addDecode,
  addMix,
  addServe,
  addWorker,
  addBench,
  addInspect,
  addPull,
  addExport,
  addSetup,
  addDoctor,
  addCompletion
]

/** The command line, before it is run. */
export function createProgram(): Command {
  const program = new HintingCommand('wuerstchen')
    .description('Text to image with Würstchen v2, without Python')
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
  for (const add of COMMANDS) add(program)
  return program
}

/** Whether a command was asked for JSON. Its flags may be what could not be read, so that only their texts are known. */
export function wantsJson(program: Command, args: readonly string[]): boolean {
  const command = program.commands.find(each => each.name() === args[0])
  const end = args.indexOf('--')
  return (
    command?.options.some(({ long }) => long === '--json') === true && args.slice(0, end < 0 ? undefined : end).includes('--json')
  )
}
