import { block, commands } from './page.mjs'
import { cjs, esm, PROMPT, SEED } from './cell.mjs'

/** @typedef {import('./cell.mjs').Cell} Cell */

const imports = `import { Embeddings, Pipeline, Tensor, WuerstchenError, type GenerateOptions, type StreamEvent } from 'wuerstchen'
import { createServer, type ServerOptions } from 'wuerstchen/server'`

/** Types of both entries are used, so that all declarations are read. @param {string} picture */
const typed = picture => `${imports}

export const serve = (options: ServerOptions) => createServer(options)
export const text = (event: StreamEvent): string => (event.type === 'image' ? event.image.width.toFixed() : event.type)
export const isOurs = (error: unknown): boolean => WuerstchenError.is(error, 'DISPOSED')
export const load = (file: Blob): Promise<Embeddings> => Embeddings.load(file)
export const tensor = (): Tensor => Tensor.from(new Float32Array(1), [1])

async function main(): Promise<void> {
  await using pipeline = await Pipeline.load()
  const options: GenerateOptions = { prompt: '${PROMPT}', seed: ${SEED} }
  const { images } = await pipeline.generate(options)
  await images[0]!.toFile('${picture}')
  console.log('saved')
}

void main()
`

/**
 * How a project is compiled: options over those of docs/frameworks.md, and the kind of package that it is.
 * @type {{ name: string, type: 'module' | 'commonjs', options: object, only?: (version: string) => boolean }[]}
 */
const modes = [
  { name: 'nodenext', type: 'module', options: {} },
  { name: 'node16', type: 'module', options: { module: 'node16' } },
  { name: 'bundler', type: 'module', options: { module: 'esnext', moduleResolution: 'bundler' } },
  // TypeScript before 5.8 allows no require of an ES module here.
  { name: 'nodenext in CommonJS', type: 'commonjs', options: {}, only: version => !version.startsWith('5.4') },
  // TypeScript 7 has this resolution no longer.
  {
    name: 'commonjs with node10',
    type: 'commonjs',
    // The declarations of zod need the interoperation, which is the default from TypeScript 6 on.
    options: { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true },
    only: version => !version.startsWith('7')
  }
]

/** @param {string} version of TypeScript @param {string} nodeTypes @returns {Cell} */
const typescript = (version, nodeTypes) => {
  const fitting = modes.filter(({ only }) => only?.(version) ?? true)
  const { compilerOptions, ...rest } = JSON.parse(block('frameworks.md', 'TypeScript', 'tsconfig.json'))
  const files = fitting.flatMap(({ name, type, options }, index) => {
    const silent = version.startsWith('6') && name.endsWith('node10') ? { ignoreDeprecations: '6.0' } : {}
    return [
      [`${index}/package.json`, JSON.stringify({ type })],
      [`${index}/main.ts`, typed(`${index}.png`)],
      [
        `${index}/tsconfig.json`,
        JSON.stringify({ compilerOptions: { ...compilerOptions, rootDir: '.', ...options, ...silent }, ...rest })
      ]
    ]
  })
  return {
    name: `TypeScript ${version}`,
    group: 'Compiler and test runner',
    needs: '`"lib": ["es2022", "esnext.disposable"]`',
    dependencies: { typescript: version, '@types/node': nodeTypes },
    files: Object.fromEntries(files),
    steps: fitting.map(({ name }, index) => ({
      does: name,
      run: `tsc -p ${index} && cp ${index}/package.json ${index}/out && node ${index}/out/main.js`,
      prints: /saved/,
      picture: `${index}.png`
    }))
  }
}

const asserted = `const { images } = await pipeline.generate({ prompt: '${PROMPT}', seed: ${SEED} })
  await images[0].toFile('test.png')
  expect(images[0].data).toBeInstanceOf(Uint8Array)
  await expect(pipeline.generate({ prompt: 'a', priorSteps: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await pipeline.generate({ prompt: 'a', seed: 7, latents: undefined, signal: new AbortController().signal })).toBeDefined()
  await pipeline.dispose()`
const esmTest = `import { Pipeline } from 'wuerstchen'

test('an image', async () => {
  const pipeline = await Pipeline.load()
  ${asserted}
}, 60_000)
`
const cjsTest = esmTest
  .replace("import { Pipeline } from 'wuerstchen'\n\n", '')
  .replace('await Pipeline', "await (await import('wuerstchen')).Pipeline")

const jest = { does: 'a test', run: commands('frameworks.md', 'Jest')[0] ?? '', prints: /Tests: +1 passed/, picture: 'test.png' }

/** @type {Cell[]} */
export const languages = [
  typescript('5.4.5', '20.19.43'),
  typescript('5.9.3', '20.19.43'),
  typescript('6.0.3', '20.19.43'),
  typescript('7.0.2', '22.20.7'),
  {
    name: 'tsx 4.23.15',
    group: 'Compiler and test runner',
    dependencies: { tsx: '4.23.15' },
    files: { 'main.mts': esm, 'main.ts': esm, 'main.cjs': cjs },
    steps: [
      { does: 'a module', run: 'tsx main.mts', prints: /saved/, picture: 'esm.png' },
      { does: 'a file of CommonJS', run: 'rm esm.png && tsx main.ts', prints: /saved/, picture: 'esm.png' },
      { does: '`require`', run: 'tsx main.cjs', prints: /saved/, picture: 'cjs.png' }
    ]
  },
  {
    name: 'Vitest 5.1.2 on Node 22.23.5',
    group: 'Compiler and test runner',
    node: '22.23.5',
    dependencies: { vitest: '5.1.2' },
    files: { 'main.test.mjs': `import { expect, test } from 'vitest'\n${esmTest}` },
    steps: [{ does: 'a test', run: 'vitest run', prints: /Tests +1 passed/, picture: 'test.png' }]
  },
  {
    name: 'Jest 30.5.2, ES modules',
    group: 'Compiler and test runner',
    needs: '`NODE_OPTIONS=--experimental-vm-modules`, `transform: {}`',
    packageJson: { type: 'module' },
    dependencies: { jest: '30.5.2' },
    files: { 'main.test.js': esmTest, 'jest.config.mjs': block('frameworks.md', 'Jest', 'jest.config.mjs') },
    steps: [jest]
  },
  {
    name: 'Jest 30.5.2, CommonJS',
    group: 'Compiler and test runner',
    needs: '`NODE_OPTIONS=--experimental-vm-modules`, `await import()`',
    dependencies: { jest: '30.5.2' },
    files: { 'main.test.js': cjsTest },
    steps: [jest]
  },
  {
    name: 'Jest 30.5.2, `require` on Node 24.22.3',
    group: 'Compiler and test runner',
    node: '24.22.3',
    needs: '`NODE_OPTIONS=--experimental-vm-modules`',
    dependencies: { jest: '30.5.2' },
    files: { 'main.test.js': cjsTest.replace("await import('wuerstchen')", "require('wuerstchen')") },
    steps: [jest]
  }
]
