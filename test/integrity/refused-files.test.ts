import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { codeOfFault, faultOf } from '../../lib/files/file-fault.js'
import { runNode } from '../support/child.js'
import { compiledModel, root, smallModel } from '../support/small-model.js'

const dist = (file: string) => JSON.stringify(pathToFileURL(join(root, 'dist', file)).href)

/** Opens files until the system refuses, closes as many as a case may have, and prints the code of each case's error. */
const SCRIPT = `
import { execFileSync } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { Embeddings, Pipeline, Stage } from ${dist('index.js')}
import { readModel } from ${dist('model/directory.js')}
import { verifiedProgram } from ${dist('model/programs.js')}
import { readImageFile } from ${dist('internal.js')}
import { readTokenizers } from ${dist('pipeline/texts.js')}
const [small, compiled] = [${JSON.stringify(smallModel)}, ${JSON.stringify(compiledModel)}]
const [model, withLibraries] = [await readModel(small), await readModel(compiled)]
const library = withLibraries.manifest.stages.prior.artefacts.find(({ kind }) => kind === 'aoti')
const program = model.manifest.stages.prior.artefacts[0]
const file = small + '/' + program.file
const cases = {
  manifest: () => readModel(small),
  stage: () => Stage.load(file),
  pipeline: () => Pipeline.load(small),
  tokenizer: () => readTokenizers(model, true),
  program: () => verifiedProgram(small, program, true),
  library: () => verifiedProgram(compiled, library, true),
  embeddings: () => Embeddings.load(file),
  image: () => readImageFile('image', file)
}
// What Node itself opens at first use is open by now.
await Promise.allSettled(Object.values(cases).map(run => run().then(value => value?.[Symbol.asyncDispose]?.())))
execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64'])
const open = []
const codes = {}
try { while (true) open.push(openSync('/dev/null', 'r')) } catch (error) { codes.system = error.code }
for (const [name, run] of Object.entries(cases)) codes[name] = await run().then(() => 'none', error => error.code + ' ' + error.cause?.code)
closeSync(open.pop())
codes.again = await readModel(small).then(() => 'none', error => error.code)
console.log(JSON.stringify(codes))
process.exit()
`

test('a refused descriptor is OUT_OF_MEMORY wherever a file is opened, and never a missing or broken model', async () => {
  const { stdout, stderr } = await runNode(['--input-type=module', '-e', SCRIPT], {})
  const refused = 'OUT_OF_MEMORY EMFILE'
  expect(JSON.parse(stdout.toString() || '{}'), stderr).toEqual({
    system: 'EMFILE',
    manifest: refused,
    stage: refused,
    pipeline: refused,
    tokenizer: refused,
    program: refused,
    library: refused,
    embeddings: refused,
    image: refused,
    again: 'none'
  })
})

test.each([
  ['EMFILE', 'OUT_OF_MEMORY'],
  ['ENFILE', 'OUT_OF_MEMORY'],
  ['ENOMEM', 'OUT_OF_MEMORY'],
  ['ENOENT', 'MODEL_NOT_FOUND'],
  ['EACCES', 'MODEL_NOT_FOUND'],
  ['EIO', 'MODEL_NOT_FOUND']
])('%s is %s', (errno, code) => {
  const error = Object.assign(new Error(errno), { code: errno })
  expect(codeOfFault(faultOf(error), { unreadable: 'MODEL_NOT_FOUND', unfit: 'MODEL_INVALID' })).toBe(code)
  expect(faultOf(error).cause).toBe(error)
})

test('a buffer that V8 refuses is OUT_OF_MEMORY', () => {
  // The text of V8, which has no code. Allocating that much here would depend on the machine.
  expect(faultOf(new RangeError('Array buffer allocation failed')).kind).toBe('refused')
})
