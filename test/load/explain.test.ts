import { describe, expect, test } from 'vitest'
import { explainLoadFailure, type LoadFacts } from '../../lib/load/explain.js'

const facts: LoadFacts = { platform: 'linux', arch: 'x64', node: '20.20.2', glibc: '2.36', libraryPath: undefined }
const libtorch = { directory: '/opt/torch', builtFor: '2.13.0', now: '2.13.0' }
const addon = '/package/build/Release/wuerstchen.node'

function explain(error: string | undefined, more: Partial<LoadFacts> = {}) {
  const attempt = error === undefined ? { path: addon } : { path: addon, error }
  return explainLoadFailure([attempt, { path: '/package/prebuilds/linux-x64/wuerstchen.node' }], { ...facts, ...more })
}

describe('the error of an addon that cannot be loaded', () => {
  test('names every place tried with what it found, the machine, and numbered fixes', () => {
    const { message } = explain('invalid ELF header')
    expect(message).toContain(`  - ${addon}: invalid ELF header`)
    expect(message).toContain('  - /package/prebuilds/linux-x64/wuerstchen.node: no such file')
    expect(message).toContain('  1. ')
    expect(message).toContain('Node 20.20.2, linux x64, glibc 2.36.')
  })

  test.each([
    [
      'memory refused',
      'libtorch_cpu.so: failed to map segment from shared object',
      {},
      'OUT_OF_MEMORY',
      /refused memory.*ulimit -v/s
    ],
    ['not built', undefined, {}, 'NATIVE_LOAD_FAILED', /has not been built for linux x64.*wuerstchen setup/s],
    [
      'another system',
      undefined,
      { platform: 'darwin', arch: 'arm64', glibc: null },
      'NATIVE_LOAD_FAILED',
      /not been built for darwin arm64.*Linux only.*no glibc/s
    ],
    [
      'LibTorch gone',
      'libtorch_cpu.so: cannot open shared object file: No such file or directory',
      { libtorch: { ...libtorch, now: null } },
      'LIBTORCH_NOT_FOUND',
      /LibTorch 2\.13\.0 in \/opt\/torch, which is no longer there.*LD_LIBRARY_PATH.*WUERSTCHEN_LIBTORCH/s
    ],
    [
      'no LibTorch and no record',
      'libc10.so: cannot open shared object file: No such file or directory',
      {},
      'LIBTORCH_NOT_FOUND',
      /not the LibTorch it needs \(libc10\.so\)\.\n/
    ],
    [
      'another minor version',
      'built for …',
      { libtorch: { ...libtorch, now: '2.14.1' } },
      'LIBTORCH_NOT_FOUND',
      /built for LibTorch 2\.13\.0, but \/opt\/torch now holds 2\.14\.1.*pip install torch==2\.13\.0/s
    ],
    [
      'old C library',
      "/lib/libm.so.6: version `GLIBC_2.38' not found (required by x)",
      { libtorch },
      'NATIVE_LOAD_FAILED',
      /newer system.*GLIBC_2\.38/
    ],
    ['old C++ library', "version `GLIBCXX_3.4.32' not found", { libtorch }, 'NATIVE_LOAD_FAILED', /GLIBCXX_3\.4\.32/],
    ['old Node', 'undefined symbol: napi_get_instance_data', { libtorch }, 'NATIVE_LOAD_FAILED', /needs Node-API 9/],
    [
      'missing symbol',
      'undefined symbol: _ZN2at6TensorE',
      { libtorch, libraryPath: '/other/lib' },
      'NATIVE_LOAD_FAILED',
      /does not fit the LibTorch.*1\. LD_LIBRARY_PATH is "\/other\/lib"/s
    ],
    [
      'another machine',
      'wrong ELF class: ELFCLASS32',
      { libtorch },
      'NATIVE_LOAD_FAILED',
      /built for another machine than linux x64/
    ],
    [
      'permission model',
      'ERR_DLOPEN_DISABLED: Cannot load native addon because loading addons is disabled.',
      { libtorch },
      'NATIVE_LOAD_FAILED',
      /--allow-addons/
    ],
    ['anything else', 'something new', { libtorch }, 'NATIVE_LOAD_FAILED', /refused to load.*doctor --json/s]
  ] as const)('%s', (_name, error, more, code, text) => {
    const explained = explain(error, more as Partial<LoadFacts>)
    expect(explained.code).toBe(code)
    expect(explained.message).toMatch(text)
  })

  test('a patch version of the same LibTorch is no reason to refuse', () => {
    expect(explain('something new', { libtorch: { ...libtorch, now: '2.13.1' } }).code).toBe('NATIVE_LOAD_FAILED')
  })

  test('LD_LIBRARY_PATH is only mentioned where it is set', () => {
    expect(explain('undefined symbol: _ZN2at6TensorE', { libtorch }).message).not.toContain('LD_LIBRARY_PATH')
  })
})
