import type { LoadFacts } from './explain.js'
import { javascriptRuntimeName } from './javascript-runtime.js'

/** What explains a failure to load: this machine. */
export function loadFacts(): LoadFacts {
  return {
    platform: process.platform,
    arch: process.arch,
    javascript: javascriptRuntimeName(),
    glibc: glibcVersion(),
    libraryPath: process.env.LD_LIBRARY_PATH
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
