import { create } from '../dom/dom.js'
import type { Run } from '../runs/run.js'
import { fileName } from './describe.js'
import { createZip } from './zip.js'

/** Saves all pictures of these runs as one file: browsers ask, or refuse, where a page saves many. */
export async function saveAll(runs: readonly Run[], name: string): Promise<void> {
  const entries = runs.flatMap(run =>
    run.slots.flatMap(({ picture }) =>
      picture === undefined ? [] : [{ name: fileName(run, picture), file: picture.file, at: run.at }]
    )
  )
  const url = URL.createObjectURL(await createZip(entries))
  create('a', { href: url, download: `${name}.zip` }).click()
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
