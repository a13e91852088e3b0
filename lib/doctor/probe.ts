import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { RuntimeInfo } from '../native.js'
import type { Attempt } from '../load/explain.js'
import { otherLibtorch } from '../load/facts.js'

const program = `
try {
  console.log(JSON.stringify({ info: require(process.argv[1]).runtimeInfo() }))
} catch (error) {
  console.log(JSON.stringify({ error: [error.code, error.message].filter(Boolean).join(': ') }))
}`

/**
 * Loads an addon in its own process. An addon that does not fit its LibTorch can crash the process, and then the user would get
 * no answer.
 */
export function probeAddon(path: string): { attempt: Attempt; info?: RuntimeInfo } {
  if (!existsSync(path)) return { attempt: { path } }
  const other = otherLibtorch(path)
  if (other !== undefined) return { attempt: { path, error: other } }
  const child = spawnSync(process.execPath, ['-e', program, path], { encoding: 'utf8' })
  const answer = parse(child.stdout)
  if (answer?.info !== undefined) return { attempt: { path }, info: answer.info }
  const died = child.signal === null ? `ended with exit code ${child.status}` : `was ended by ${child.signal}`
  return { attempt: { path, error: answer?.error ?? `the process that loaded it ${died}` } }
}

function parse(text: string | null): { info?: RuntimeInfo; error?: string } | undefined {
  const last = (text ?? '').trim().split('\n').at(-1) ?? ''
  return last.startsWith('{') ? (JSON.parse(last) as { info?: RuntimeInfo; error?: string }) : undefined
}
