import { versionIn } from '../install/libtorch.mjs'
import { minorOf } from '../install/version.mjs'
import type { LoadFacts } from './explain.js'
import { buildRecord, type BuildRecord } from './locations.js'

/** What explains a failure to load: this machine, and the LibTorch that an addon was built against. */
export function loadFacts(record: BuildRecord | undefined): LoadFacts {
  const libtorch = record && {
    directory: record.libtorch.directory,
    builtFor: record.libtorch.version,
    now: versionIn(record.libtorch.directory) ?? null
  }
  return {
    platform: process.platform,
    arch: process.arch,
    node: process.versions.node,
    glibc: glibcVersion(),
    libraryPath: process.env.LD_LIBRARY_PATH,
    ...(libtorch && { libtorch })
  }
}

/** The version of the running C library, or null on systems without glibc. */
export function glibcVersion(): string | null {
  // The report of a process can take seconds if it resolves the names of open connections, which are not needed here.
  const report = process.report as { excludeNetwork?: boolean; getReport(): object } | undefined
  if (report === undefined) return null
  const before = report.excludeNetwork
  report.excludeNetwork = true
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } }
  if (before !== undefined) report.excludeNetwork = before
  return header.glibcVersionRuntime ?? null
}

/**
 * Why an addon does not fit the LibTorch in the folder it was built against, or undefined if it does. Hazard: another minor
 * version often loads without an error, and crashes later. Therefore this is checked before the system loads anything.
 */
export function otherLibtorch(path: string): string | undefined {
  const built = buildRecord(path)?.libtorch
  const now = built && versionIn(built.directory)
  if (built === undefined || now === undefined || minorOf(now) === minorOf(built.version)) return undefined
  return `built for LibTorch ${built.version}, but ${built.directory} holds ${now}`
}
