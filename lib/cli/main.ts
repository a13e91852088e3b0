#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
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
import { exitCodeOf, report } from './outcome.js'

const program = new Command('wuerstchen')
  .description('Text to image with Würstchen v2, without Python')
  .version(VERSION)
  .exitOverride()
  .enablePositionalOptions()

for (const add of [
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
])
  add(program)

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) report(error)
  process.exitCode = exitCodeOf(error)
}
