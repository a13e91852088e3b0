import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../support/small-model.js'

const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8')
const npm = (name: string, ...folder: string[]): string => {
  const { dependencies, devDependencies } = JSON.parse(text(...folder, 'package.json')) as Record<string, Record<string, string>>
  return { ...dependencies, ...devDependencies }[name]!
}
const pypi = (name: string): string => new RegExp(`^${name}==(\\S+)$`, 'm').exec(text('test', 'clients', 'requirements.txt'))![1]!

/** The clients with their versions: what is installed or, where requests are sent as sources write them, what was read. */
export const VERSIONS = {
  'openai (npm)': npm('openai'),
  'openai (PyPI)': pypi('openai'),
  '@ai-sdk/openai': npm('@ai-sdk/openai', 'test', 'clients'),
  '@ai-sdk/openai-compatible': npm('@ai-sdk/openai-compatible', 'test', 'clients'),
  '@langchain/openai': npm('@langchain/openai', 'test', 'clients'),
  'langchain-community': pypi('langchain-community'),
  webuiapi: pypi('webuiapi'),
  'LiteLLM, as sent': '1.110.2',
  'Open WebUI, as sent': '02530d50',
  'LibreChat, as sent': '00b3bc32',
  'SillyTavern, as sent': '02903fdd'
} as const

export type Client = keyof typeof VERSIONS

/** A call of a client: what comes of it, and the run that shows that. */
export interface Call {
  result: string
  run: () => Promise<void>
}

export type Calls = Readonly<Record<string, Call>>

export const works = (run: () => Promise<void>): Call => ({ result: 'works', run })

/** The rows of the table in docs/clients.md. */
export function documentedRows(): string[][] {
  const [, table] = /## What was tried\n[^#]*?\n\|---\|---\|---\|---\|\n((?:\|.*\n)+)/.exec(text('docs', 'clients.md')) ?? []
  return table!
    .trimEnd()
    .split('\n')
    .map(line => line.slice(2, -2).split(' | '))
}
