import { Command } from 'commander'
import { VERSION } from '../version.js'
import { addBench } from './bench.js'
import { addDecode } from './decode.js'
import { addDoctor } from './doctor.js'
import { addEdit } from './edit.js'
import { addEncode } from './encode.js'
import { addExport } from './export.js'
import { addGenerate } from './generate.js'
import { addInspect } from './inspect.js'
import { addMix } from './mix.js'
import { addReconstruct } from './reconstruct.js'
import { addServe } from './serve.js'
import { addSetup } from './setup.js'
import { addVary } from './vary.js'

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
  addBench,
  addInspect,
  addExport,
  addSetup,
  addDoctor
]

/** The command line, before it is run. */
export function createProgram(): Command {
  const program = new Command('wuerstchen')
    .description('Text to image with Würstchen v2, without Python')
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
  for (const add of COMMANDS) add(program)
  return program
}
