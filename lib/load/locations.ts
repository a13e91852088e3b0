import { dirname, join } from 'node:path'
import { ADDON, BUILD_RECORD, builtAddon, isThere, LOADER, prebuiltAddons, setupFolder } from '../install/folders.mjs'
import { readRecord } from '../install/fingerprint.mjs'
import { torchVersions } from '../install/version.mjs'

/** A place for an addon. */
export interface AddonFile {
  path: string
  /** The version of LibTorch whose headers it was built with; null if there is no addon, or none that says it. */
  builtFor: string | null
}

/**
 * The places where the addon is looked for, in order: those built on this machine, because the user asked for them, then those
 * that came with the package.
 */
export function addonFiles(env: NodeJS.ProcessEnv = process.env): AddonFile[] {
  // Without its folder nothing was built, and the sources need not be read.
  const built = isThere(setupFolder(env)) ? torchVersions.map(minor => builtAddon(env, minor)) : []
  const folder = prebuiltAddons()
  const prebuilt = folder === undefined ? [] : torchVersions.map(minor => join(folder, `libtorch-${minor}`))
  return [...new Set([...built, ...prebuilt])].map(addonIn)
}

/** The addon in a folder, as the build and the packages of addons lay it out. */
export function addonIn(folder: string): AddonFile {
  const path = join(folder, ADDON)
  const record = readRecord(join(folder, BUILD_RECORD)) as { libtorch?: { version?: string } } | undefined
  return { path, builtFor: (isThere(path) ? record?.libtorch?.version : undefined) ?? null }
}

/** What opens LibTorch for an addon. */
export function loaderOf({ path }: AddonFile): string {
  return join(dirname(path), LOADER)
}
