import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { WuerstchenError } from '../../lib/errors.js'
import { recordedLibtorch } from '../../lib/install/folders.mjs'
import { findPackage, packageRoot } from '../../lib/install/root.mjs'
import { minorOf } from '../../lib/install/version.mjs'
import { VERSION } from '../../lib/version.js'
import { addonIn } from '../../lib/load/locations.js'
import { root, withDirectory } from '../support/small-model.js'

const require = createRequire(import.meta.url)

/** A bundler that is here: Vitest's. */
interface Rolldown {
  build(options: object): Promise<unknown>
}
function rolldown(): Promise<Rolldown> {
  const vite = createRequire(require.resolve('vitest/package.json')).resolve('vite/package.json')
  return import(pathToFileURL(createRequire(vite).resolve('rolldown')).href) as Promise<Rolldown>
}

/** A folder with a bundle, in a project that has this package as npm installs it. */
async function withInstalled(use: (project: string) => Promise<void>): Promise<void> {
  await withDirectory(async directory => {
    const installed = join(directory, 'node_modules', 'wuerstchen')
    mkdirSync(installed, { recursive: true })
    cpSync(join(root, 'package.json'), join(installed, 'package.json'))
    for (const name of ['dist', 'models']) symlinkSync(join(root, name), join(installed, name))
    for (const name of ['sharp', '@img', 'detect-libc', 'semver', '@huggingface', 'saxes', 'xmlchars', 'zod'])
      symlinkSync(join(root, 'node_modules', name), join(directory, 'node_modules', name))
    // The addon of this clone, as the package of prebuilt ones has it.
    const prebuilt = join(directory, 'node_modules', '@wuerstchen', `${process.platform}-${process.arch}`)
    mkdirSync(prebuilt, { recursive: true })
    writeFileSync(join(prebuilt, 'package.json'), JSON.stringify({ version: VERSION }))
    const built = join(root, 'build', 'Release')
    symlinkSync(built, join(prebuilt, `libtorch-${minorOf(addonIn(built).builtFor ?? '')}`))
    mkdirSync(join(directory, 'out'))
    await use(directory)
  })
}

test('the package is found beside its own code', () => {
  expect(packageRoot).toBe(root)
})

test('the package is found from a bundle, whose code knows its own place or not, or names one of another machine', async () => {
  await withInstalled(async directory => {
    const installed = join(directory, 'node_modules', 'wuerstchen')
    const bundle = join(directory, 'out', 'bundle.js')
    expect(findPackage(pathToFileURL(bundle).href, [])).toBe(installed)
    expect(findPackage(undefined, ['/nowhere/main.js', bundle])).toBe(installed)
    expect(findPackage('file:///builder/node_modules/wuerstchen/dist/install/root.mjs', [bundle])).toBe(installed)
    await Promise.resolve()
  })
})

test('the package is imported where the working directory was deleted', async () => {
  await withDirectory(async directory => {
    const gone = join(directory, 'gone')
    mkdirSync(gone)
    const script =
      'process.chdir(process.argv[1]); fs.rmdirSync(process.argv[1]); import(process.argv[2]).then(m => console.log(m.packageRoot))'
    const args = ['-e', script, gone, pathToFileURL(join(root, 'dist', 'install', 'root.mjs')).href]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe(`${root}\n`)
    await Promise.resolve()
  })
})

test('a bundle without the package says what is missing and what to do', async () => {
  await withDirectory(async directory => {
    const bundle = join(directory, 'bundle.js')
    const found = () => findPackage(pathToFileURL(bundle).href, [])
    expect(found).toThrow(/^Expected the installed package wuerstchen .*docs\/frameworks\.md/)
    expect(found).toThrow(expect.toSatisfy(error => WuerstchenError.is(error, 'NATIVE_LOAD_FAILED')))
    await Promise.resolve()
  })
})

test.each([
  ['es', 'bundle.mjs'],
  ['cjs', 'bundle.cjs']
])(
  'a bundle with the code of the package (%s) has its version, its model and its addon',
  { timeout: 120_000 },
  async (format, name) => {
    await withInstalled(async directory => {
      const main = join(directory, 'main.mjs')
      writeFileSync(
        main,
        `import { Pipeline } from 'wuerstchen'
       Pipeline.load().then(async pipeline => {
         const { images } = await pipeline.generate({ prompt: 'a', seed: 1, priorSteps: 1, decoderSteps: 1 })
         await pipeline.dispose()
         console.log(images[0].width, images[0].parameters.versions.wuerstchen)
       })`
      )
      const file = join(directory, 'out', name)
      const { build } = await rolldown()
      await build({
        input: main,
        platform: 'node',
        external: ['sharp'],
        output: { file, format, codeSplitting: false },
        logLevel: 'silent',
        resolve: { symlinks: false }
      })
      const env = {
        ...process.env,
        WUERSTCHEN_ADDON_DIR: join(directory, 'none'),
        WUERSTCHEN_LIBTORCH: process.env['WUERSTCHEN_LIBTORCH'] ?? recordedLibtorch(process.env)?.directory
      }
      const printed = execFileSync(process.execPath, [file], { cwd: dirname(file), env, encoding: 'utf8' })
      expect(printed).toMatch(/^256 \d+\.\d+\.\d+/)
    })
  }
)
