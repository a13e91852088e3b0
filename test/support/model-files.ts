import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Changes a model directory's manifest, or its index of compiled libraries. `edit` changes the value or returns another one. */
function editJson<T>(file: string, edit: (value: T) => unknown): void {
  const value = JSON.parse(readFileSync(file, 'utf8')) as T
  writeFileSync(file, JSON.stringify(edit(value) ?? value))
}

export const editManifest = <Manifest>(directory: string, edit: (manifest: Manifest) => unknown) =>
  editJson(join(directory, 'wuerstchen.json'), edit)
export const editIndex = <Index>(directory: string, edit: (index: Index) => unknown) =>
  editJson(join(directory, 'compiled', 'compiled.json'), edit)
