import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, userInfo } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fingerprint, readRecord } from './fingerprint.mjs'
import { packageRoot } from './root.mjs'

/** Whether this is a clone of the repository, and not a package that npm has installed. */
export const isClone = existsSync(join(packageRoot, 'tsconfig.build.json'))

export const ADDON = 'wuerstchen.node'
export const LOADER = 'loader.node'
/** What an addon was built from, beside it. */
export const BUILD_RECORD = 'wuerstchen.build.json'

/**
 * Where the set-up of this package writes: `WUERSTCHEN_ADDON_DIR`, else `build` in a clone and the user's cache elsewhere. npm
 * replaces the folder of an installed package, and it may be read-only.
 * @param {NodeJS.ProcessEnv} env
 */
export function setupFolder(env) {
  if (env.WUERSTCHEN_ADDON_DIR) return resolve(env.WUERSTCHEN_ADDON_DIR)
  return isClone ? join(packageRoot, 'build') : join(cacheFolder(env), 'wuerstchen')
}

/**
 * The folder of this user's caches. The XDG Base Directory Specification has a relative path ignored: it would be another folder
 * wherever a process runs.
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheFolder(env) {
  return env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(homeFolder(), '.cache')
}

/** Without `HOME`, a user whom the system does not know, as in a container, has none. Docker takes the root folder for it. */
function homeFolder() {
  for (const home of [homedir, () => userInfo().homedir]) {
    try {
      const folder = home()
      if (isAbsolute(folder)) return folder
    } catch {
      // The system has no entry for this user.
    }
  }
  return '/'
}

/**
 * Whether a file or folder is there. Node's own throws under the permission model of Node 20.
 * @param {string} path
 */
export function isThere(path) {
  try {
    return existsSync(path)
  } catch {
    return false
  }
}

/** SHA-256 of what the addon is made from. It names no folder, so a copy elsewhere has the same. */
export function nativeSources() {
  return fingerprint(
    packageRoot,
    ['CMakeLists.txt', 'cpp'].map(name => join(packageRoot, name))
  )
}

/**
 * Where an addon that was built on this machine is. Outside of `build` every version of the package has folders of its own, so
 * that several projects share one build.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} minor of LibTorch
 */
export function builtAddon(env, minor) {
  if (isClone && !env.WUERSTCHEN_ADDON_DIR) return join(packageRoot, 'build', 'Release')
  sources ??= nativeSources()
  return join(
    setupFolder(env),
    `${ownVersion()}-${sources.slice(0, 12)}`,
    `${process.platform}-${process.arch}-libtorch-${minor}`
  )
}

/** They are asked for once for each version of LibTorch. @type {string | undefined} */
let sources

/** @returns {string} */
function ownVersion() {
  return readRecord(join(packageRoot, 'package.json'))?.version
}

/**
 * The addons that come with the package, one for each minor version of LibTorch; undefined where there are none for this system.
 * Where a tree has several versions of the package, those of another may be found first. What JavaScript and an addon say to each
 * other changes with the version, so they are not taken.
 * @returns {string | undefined} the folder that they are in
 */
export function prebuiltAddons(platform = process.platform, arch = process.arch) {
  try {
    const file = createRequire(join(packageRoot, 'package.json')).resolve(`@wuerstchen/${platform}-${arch}/package.json`)
    return readRecord(file)?.version === ownVersion() ? dirname(file) : undefined
  } catch {
    return undefined
  }
}

/**
 * The LibTorch that the last set-up used, and the interpreter that it belongs to.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ directory: string, python: string | null } | undefined}
 */
export function recordedLibtorch(env) {
  const { directory, python = null } = readRecord(recordFile(env)) ?? {}
  return typeof directory === 'string' ? { directory, python } : undefined
}

/** @param {NodeJS.ProcessEnv} env */
export function recordFile(env) {
  return join(setupFolder(env), 'libtorch.json')
}
