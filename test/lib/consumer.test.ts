import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { npmClients } from '../../scripts/setup/clients.mjs'
import { has } from '../support/programs.mjs'
import { root, withDirectory } from '../support/small-model.js'

const MAIN = `
import { Embeddings, Pipeline, readParameters, Tensor, WuerstchenError, type GenerateOptions } from 'wuerstchen'

export async function use(file: Blob, pipeline: Pipeline, options: GenerateOptions): Promise<number | undefined> {
  const { images } = await pipeline.generate({ ...options, prompt: 'a cat', seed: 1 })
  await images[0]?.toFile('cat.png', { metadata: false })
  await pipeline.vary([file, file], { strength: 0.5 })
  const { parameters } = await readParameters(file)
  using embeddings = await Embeddings.load(file)
  using tensor = Tensor.from(new Float32Array(1), [1])
  console.log(embeddings.length, tensor.dtype, WuerstchenError.is(undefined))
  return parameters?.seed
}
`

const OPTIONS = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
  preserveSymlinks: true,
  types: ['node']
}

const MODULES = [
  { module: 'nodenext', lib: ['es2022', 'esnext.disposable'] },
  // The declarations of zod need the interoperation, which is the default from TypeScript 6 on.
  { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true, lib: ['es2022', 'esnext.disposable'] },
  { module: 'esnext', moduleResolution: 'bundler', lib: ['es2023', 'dom', 'esnext.disposable'] }
]

/** An application with this package as npm installs it, but of its dependencies only those that are named. */
async function compile(source: string, dependencies: readonly string[], options: object): Promise<string> {
  let output = ''
  await withDirectory(async directory => {
    const modules = join(directory, 'node_modules')
    mkdirSync(join(modules, 'wuerstchen'), { recursive: true })
    mkdirSync(join(modules, '@types'))
    cpSync(join(root, 'package.json'), join(modules, 'wuerstchen', 'package.json'))
    symlinkSync(join(root, 'dist'), join(modules, 'wuerstchen', 'dist'))
    for (const name of ['@types/node', 'undici-types', ...dependencies])
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(directory, 'main.ts'), source)
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...OPTIONS, ...options }, files: ['main.ts'] })
    )
    const compiler = join(npmClients, 'node_modules', 'typescript', 'bin', 'tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [compiler, '-p', directory]).catch(
      (error: { stdout: string }) => error
    )
    output = stdout
  })
  return output
}

test.runIf(has('test/clients')).each(MODULES)(
  'an application of TypeScript 5.4 compiles, its libraries checked too, without the types of sharp and Fastify: %o',
  { timeout: 300_000 },
  async options => {
    // Types of the manifest are made by zod.
    expect(await compile(MAIN, ['zod'], options)).toBe('')
  }
)
