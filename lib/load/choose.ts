import { findLibtorch, type Place } from '../install/libtorch.mjs'
import { isSupported, minorOf } from '../install/version.mjs'
import type { AddonFile } from './locations.js'

/** A LibTorch, and what says that it is there. */
export interface FoundLibtorch {
  directory: string
  version: string
  source: string
}

/** An addon, and the LibTorch that it runs with. */
export interface Choice {
  addon: AddonFile
  libtorch: FoundLibtorch
}

/** Why there is no addon that runs. */
export type LoadFailure =
  | { kind: 'not built'; addons: readonly AddonFile[] }
  | { kind: 'no LibTorch'; addons: readonly AddonFile[]; tried: readonly string[]; refused: string | undefined }
  | { kind: 'no addon for it'; addons: readonly AddonFile[]; libtorch: FoundLibtorch }
  | { kind: 'LibTorch refused'; libtorch: FoundLibtorch; error: string }
  | { kind: 'refused by the system'; path: string; libtorch: FoundLibtorch | null; error: string }

/**
 * The first LibTorch that an addon was built for. Hazard: an addon with another minor version often loads without an error, and
 * crashes later. Therefore this is decided before the system loads anything.
 */
export function chooseAddon(addons: readonly AddonFile[], among: readonly Place[]): Choice | LoadFailure {
  if (addons.every(({ builtFor }) => builtFor === null)) return { kind: 'not built', addons }
  const { found, tried, refused } = findLibtorch([...among], version => addonFor(addons, version) !== undefined)
  if (found !== undefined) return { addon: addonFor(addons, found.version)!, libtorch: found }
  // Without the addons: is there a LibTorch at all?
  const other = findLibtorch([...among], isSupported).found
  if (other !== undefined) return { kind: 'no addon for it', addons, libtorch: other }
  return { kind: 'no LibTorch', addons, tried, refused }
}

export function addonFor(addons: readonly AddonFile[], version: string): AddonFile | undefined {
  return addons.find(({ builtFor }) => builtFor !== null && minorOf(builtFor) === minorOf(version))
}
