import type { Artefact } from './manifest.js'

type Library = Extract<Artefact, { kind: 'aoti' }>['libraries'][string]

/** The files of an artefact's compiled functions, by function. */
export function librariesOf(artefact: Artefact): [string, Library][] {
  return artefact.kind === 'aoti' ? Object.entries(artefact.libraries) : []
}

/** Whether something has run an artefact before it was named. Programs are verified when they are exported. */
export function isVerified(artefact: Artefact): boolean {
  return artefact.kind !== 'aoti' || artefact.verified
}

/** The name of an artefact in lists: its file, or its libraries. */
export function labelOf(artefact: Artefact): string {
  return (
    librariesOf(artefact)
      .map(([, { file }]) => file)
      .join(', ') || artefact.file
  )
}
