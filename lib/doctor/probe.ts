import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { RuntimeInfo } from '../native.js'
import type { Choice, LoadFailure } from '../load/choose.js'
import { cutOffLibrary } from '../load/cut-off.js'
import { loaderOf } from '../load/locations.js'

const program = `
let of = 'addon'
try {
  // Node has no name of a script before them, and Deno has.
  const [loader, libraries, addon] = process.argv.slice(-3)
  const { open } = require(loader)
  of = 'libtorch'
  open(libraries)
  of = 'addon'
  console.log(JSON.stringify({ info: require(addon).runtimeInfo() }))
} catch (error) {
  console.log(JSON.stringify({ of, error: [error.code, error.message].filter(Boolean).join(': ') }))
}`

/**
 * Loads an addon in its own process. An addon that does not fit its LibTorch can crash the process, and then the user would get
 * no answer.
 */
export function probeAddon({ addon, libtorch }: Choice): RuntimeInfo | LoadFailure {
  const libraries = join(libtorch.directory, 'lib')
  const cut = cutOffLibrary(libraries)
  if (cut !== undefined) return { kind: 'LibTorch refused', libtorch, error: cut }
  const args = ['-e', program, loaderOf(addon), libraries, addon.path]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const answer = parse(child.stdout)
  if (answer?.info !== undefined) return answer.info
  const died = child.signal === null ? `ended with exit code ${child.status}` : `was ended by ${child.signal}`
  const error = answer?.error ?? `the process that loaded it ${died}`
  if (answer?.of === 'libtorch') return { kind: 'LibTorch refused', libtorch, error }
  return { kind: 'refused by the system', path: addon.path, libtorch, error }
}

function parse(text: string | null): { info?: RuntimeInfo; of?: 'addon' | 'libtorch'; error?: string } | undefined {
  const last = (text ?? '').trim().split('\n').at(-1) ?? ''
  return last.startsWith('{')
    ? (JSON.parse(last) as { info?: RuntimeInfo; of?: 'addon' | 'libtorch'; error?: string })
    : undefined
}
