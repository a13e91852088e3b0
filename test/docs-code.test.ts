import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { root } from './support/small-model.js'

/** What a block may use that an earlier block of its page, or the reader, has. */
const GIVEN = {
  pipeline: "declare const pipeline: import('wuerstchen').Pipeline",
  Embeddings: "import { Embeddings } from 'wuerstchen'",
  sharp: "import sharp from 'sharp'"
}

const blocks = ['README.md', ...readdirSync(join(root, 'docs')).map(name => join('docs', name))]
  .filter(page => page.endsWith('.md'))
  .flatMap(page =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match, index) => ({
      name: `${page.replaceAll('/', '-')}-${index}.ts`,
      text: withGiven(match[1]!)
    }))
  )

function withGiven(code: string): string {
  const missing = Object.entries(GIVEN).filter(
    ([name]) =>
      new RegExp(`\\b${name}\\b`).test(code) && !new RegExp(`(const|using) ${name}\\b|import .*\\b${name}\\b`).test(code)
  )
  // All on one line, so that errors have the block's own lines.
  return `${missing.map(([, line]) => line).join('; ')}; export {}\n${code}`
}

/** What the compiler says against files that are not on the disk. */
function errorsOf(files: readonly { name: string; text: string }[]): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    paths: { wuerstchen: [join(root, 'lib', 'index.ts')], 'wuerstchen/server': [join(root, 'lib', 'server', 'index.ts')] }
  }
  const host = ts.createCompilerHost(options)
  const texts = new Map(files.map(({ name, text }) => [join(root, name), text]))
  const { fileExists, readFile, getSourceFile } = host
  host.getCurrentDirectory = () => root
  host.fileExists = name => texts.has(name) || fileExists.call(host, name)
  host.readFile = name => texts.get(name) ?? readFile.call(host, name)
  host.getSourceFile = (name, language, ...rest) => {
    const text = texts.get(name)
    return text === undefined
      ? getSourceFile.call(host, name, language, ...rest)
      : ts.createSourceFile(name, text, language, true)
  }
  const program = ts.createProgram([...texts.keys()], options, host)
  return [...texts.keys()].flatMap(name => {
    const source = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText, start }) => {
        const line = source?.getLineAndCharacterOfPosition(start ?? 0).line
        return `${name.slice(root.length + 1)}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
      }
    )
  })
}

test('every TypeScript block of the documentation compiles against the public types', () => {
  expect(blocks.length).toBeGreaterThan(12)
  expect(errorsOf(blocks)).toEqual([])
})

test('a block that asks for what is not there does not', () => {
  const wrong = withGiven('await pipeline.generate({ prompt: "x", steps: 4 })\n')
  expect(errorsOf([{ name: 'wrong.ts', text: wrong }])).toEqual([expect.stringMatching(/^wrong\.ts:1: .*'steps'/)])
})
