import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fingerprint, readRecord } from './fingerprint.mjs'
import { packageRoot } from './root.mjs'

/** Whether this is a clone of the repository, and not a package that npm has installed. */
export const isClone = existsSync(join(packageRoot, 'tsconfig.build.json'))

export const ADDON = 'wuerstchen.node'
export const LOADER = 'loader.node'
/** What an addon was built from, beside it. */
export const BUILD_RECORD = 'wuerstchen.build.json'

/**
 * Where the set-up of this package writes: `build` in a clone, else `WUERSTCHEN_ADDON_DIR` or the user's cache. npm replaces the folder
 * of an installed package, and it may be read-only.
 * @param {NodeJS.ProcessEnv} env
 */
export function setupFolder(env) {
  if (isClone) return join(packageRoot, 'build')
  if (env.WUERSTCHEN_ADDON_DIR) return resolve(env.WUERSTCHEN_ADDON_DIR)
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'wuerstchen')
}

/** SHA-256 of what the addon is made from. It names no folder, so a copy elsewhere has the same. */
export function nativeSources() {
  return fingerprint(
    packageRoot,
    ['CMakeLists.txt', 'cpp'].map(name => join(packageRoot, name))
  )
}

/**
 * Where an addon that was built on this machine is. Outside of a clone every version of the package has folders of its own, so that several
 * projects share one build.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} minor of LibTorch
 */
export function builtAddon(env, minor) {
  const folder = setupFolder(env)
  if (isClone) return join(folder, 'Release')
  const { version } = createRequire(join(packageRoot, 'package.json'))('./package.json')
  const name = `${version}-${nativeSources().slice(0, 12)}`
  return join(folder, name, `${process.platform}-${process.arch}-libtorch-${minor}`)
}

/**
 * The addons that come with the package, one for each minor version of LibTorch; undefined where there are none for this system.
 * @returns {string | undefined} the folder that they are in
 */
export function prebuiltAddons(platform = process.platform, arch = process.arch) {
  try {
    return dirname(createRequire(join(packageRoot, 'package.json')).resolve(`@wuerstchen/${platform}-${arch}/package.json`))
  } catch {
    return undefined
  }
}

/**
 * The LibTorch that the last set-up used.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined}
 */
export function recordedLibtorch(env) {
  return readRecord(recordFile(env))?.directory
}

/** @param {NodeJS.ProcessEnv} env */
export function recordFile(env) {
  return join(setupFolder(env), 'libtorch.json')
}
