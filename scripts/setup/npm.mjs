import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, say } from './run.mjs'
import { root } from './paths.mjs'

/** Installs the npm packages of the lock file. Without a lock file, npm has installed this package with its dependencies. */
export function installNpmPackages() {
  const lock = join(root, 'package-lock.json')
  if (!existsSync(lock)) return
  const installed = join(root, 'node_modules', '.package-lock.json')
  const missing = outdated(
    JSON.parse(readFileSync(lock, 'utf8')),
    existsSync(installed) ? JSON.parse(readFileSync(installed, 'utf8')) : {}
  )
  const gone = missing.length > 0 ? [] : vanished(JSON.parse(readFileSync(installed, 'utf8')))
  if (missing.length + gone.length === 0) return
  say(`npm ci (${missing.length + gone.length} packages differ from package-lock.json)`)
  run('npm', ['ci'], { cwd: root, fixes: ['Run "npm ci" by hand to see more.', 'Delete the folder node_modules and try again.'] })
}

/**
 * Packages of the lock file that npm has not installed, or has installed in another version. Absent optional packages do not
 * count, because they are for other platforms.
 * @param {{ packages?: Record<string, { version?: string, optional?: boolean }> }} lock package-lock.json
 * @param {{ packages?: Record<string, { version?: string }> }} installed node_modules/.package-lock.json
 */
export function outdated(lock, installed) {
  return Object.entries(lock.packages ?? {})
    .filter(([path]) => path !== '')
    .filter(([path, { version, optional }]) => {
      const has = installed.packages?.[path]
      return has ? has.version !== version : !optional
    })
    .map(([path]) => path)
}

/** @param {{ packages?: Record<string, unknown> }} installed */
function vanished(installed) {
  return Object.keys(installed.packages ?? {}).filter(path => !existsSync(join(root, path, 'package.json')))
}
