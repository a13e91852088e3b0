import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The places where the addon is looked for, in order: the one built on this machine, then the one that came with the package. The
 * former comes first, because the user asked for that build.
 */
export function addonLocations(root: string, platform: string, arch: string): string[] {
  return [join(root, 'build', 'Release', 'wuerstchen.node'), join(root, 'prebuilds', `${platform}-${arch}`, 'wuerstchen.node')]
}

/** What an addon was built against. The build writes this record beside the addon. */
export interface BuildRecord {
  libtorch: { directory: string; version: string; cuda: boolean }
}

/** The record beside an addon, or undefined if it has none (a build by CMake alone). */
export function buildRecord(addon: string): BuildRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(dirname(addon), 'wuerstchen.build.json'), 'utf8')) as BuildRecord
  } catch {
    return undefined
  }
}
