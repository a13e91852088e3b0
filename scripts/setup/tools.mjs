import { SetupError } from './error.mjs'
import { output } from '../../lib/install/libtorch.mjs'
import { atLeast } from '../../lib/install/version.mjs'

const oldestCmake = '3.18'

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
