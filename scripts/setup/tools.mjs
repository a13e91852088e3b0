import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError } from './error.mjs'
import { output } from '../../lib/install/libtorch.mjs'

import { atLeast } from '../../lib/install/version.mjs'
import { root } from './paths.mjs'

const oldestCmake = '3.18'

/**
 * Checks that the build has a place, which a package in a folder of somebody else has not. CMake's words for that do not say it.
 * @param {string} [out] what is built into
 */
export function checkWritable(out = join(root, 'build')) {
  const places = existsSync(out) ? [out, join(out, 'Release')].filter(place => existsSync(place)) : [dirname(out)]
  for (const place of places) {
    try {
      accessSync(place, constants.W_OK)
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error)
      throw new SetupError(`The set-up builds into ${place}, where nothing can be written (${code}).`, [
        'Run it as the user to whom the folder belongs.',
        'Run it before the folder is made read-only, for example while an image of a container is built.'
      ])
    }
  }
}

/** Checks the programs that the native build needs, and names all missing ones at once. */
export function checkBuildTools() {
  const cmake = /(\d+\.\d+(\.\d+)?)/.exec(output('cmake', ['--version']) ?? '')?.[1]
  const compiler = ['c++', 'g++', 'clang++'].some(name => output(name, ['--version']))
  const maker = output('ninja', ['--version']) || output('make', ['--version'])
  const missing = [
    !cmake ? 'cmake' : !atLeast(cmake, oldestCmake) ? `cmake ${oldestCmake} or newer (found ${cmake})` : '',
    compiler ? '' : 'a C++20 compiler',
    maker ? '' : 'make or ninja'
  ].filter(Boolean)
  if (missing.length === 0) return
  throw new SetupError(`The native build needs ${missing.join(', ')}.`, [
    'Debian, Ubuntu: apt-get install cmake g++ make',
    'Fedora: dnf install cmake gcc-c++ make',
    'Alpine and other systems on musl: LibTorch has no build for them; use a system on glibc.'
  ])
}
