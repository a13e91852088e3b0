import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../setup/run.mjs'
import { root } from '../setup/paths.mjs'

/**
 * Writes the API reference: what typedoc.json says, as Markdown. A public name without a sentence is an error.
 * @param {string} folder
 */
export function writeReference(folder) {
  rmSync(folder, { recursive: true, force: true })
  const options = join('docs', 'site', 'typedoc.json')
  run(join(root, 'node_modules', '.bin', 'typedoc'), ['--options', options, '--out', folder], {
    cwd: root,
    fixes: ['Give every public name a docstring.']
  })
}

/** The pages of the reference. @param {string} folder */
export const referencePages = folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md') && name !== 'index.md')
    .sort()
    .map(name => `reference/${name}`)
