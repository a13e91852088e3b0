import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Where the addon is looked for, in order: what was built here, then what came with the package. A build of one's own comes
 * first because somebody asked for it.
 */
export function addonLocations(root: string, platform: string, arch: string): string[] {
  return [join(root, 'build', 'Release', 'wuerstchen.node'), join(root, 'prebuilds', `${platform}-${arch}`, 'wuerstchen.node')]
}

/** What an addon was built against; written beside it by the build. */
export interface BuildRecord {
  libtorch: { directory: string; version: string; cuda: boolean }
}

/** The record beside an addon, or undefined where it has none (a build by CMake alone). */
export function buildRecord(addon: string): BuildRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(dirname(addon), 'wuerstchen.build.json'), 'utf8')) as BuildRecord
  } catch {
    return undefined
  }
}
