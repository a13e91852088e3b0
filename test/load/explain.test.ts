import { describe, expect, test } from 'vitest'
import { explainLoadFailure, type LoadFacts } from '../../lib/load/explain.js'

const facts: LoadFacts = { platform: 'linux', arch: 'x64', javascript: 'Node 20.20.2', glibc: '2.36', libraryPath: undefined }
const libtorch = { directory: '/opt/torch', version: '2.13.0', source: 'the last set-up' }
const path = '/package/build/Release/wuerstchen.node'
const built = { path, builtFor: '2.13.0' }

/** What is said of an addon that the system refused. */
function explain(error: string, more: Partial<LoadFacts> = {}) {
  return explainLoadFailure({ kind: 'refused by the system', path, libtorch, error }, { ...facts, ...more })
}

describe('the error of an addon that cannot be loaded', () => {
  test('names what was tried with what it found, the machine, and numbered fixes', () => {
    const { message, subject } = explain('invalid ELF header')
    expect(message).toContain(`  - ${path}: invalid ELF header`)
    expect(message).toContain('  1. ')
    expect(message).toContain('Node 20.20.2, linux x64, glibc 2.36.')
    expect(subject).toBe(path)
  })

  test.each([
    [
      'memory refused',
      'libtorch_cpu.so: failed to map segment from shared object',
      {},
      'OUT_OF_MEMORY',
      /refused memory.*ulimit -v/s
    ],
    [
      'a LibTorch that is not complete',
      'libc10.so: cannot open shared object file: No such file or directory',
      {},
      'LIBTORCH_NOT_FOUND',
      /LibTorch 2\.13\.0 in \/opt\/torch \(the last set-up\) is not complete: libc10\.so is missing.*WUERSTCHEN_LIBTORCH/s
    ],
    [
      'a CUDA build without its packages',
      'libcudart.so.13: cannot open shared object file: No such file or directory',
      {},
      'LIBTORCH_NOT_FOUND',
      /libcudart\.so\.13 is missing.*without --no-deps/s
    ],
    [
      'old C library',
      "/lib/libm.so.6: version `GLIBC_2.38' not found (required by x)",
      {},
      'NATIVE_LOAD_FAILED',
      /newer system.*GLIBC_2\.38/
    ],
    ['old C++ library', "version `GLIBCXX_3.4.32' not found", {}, 'NATIVE_LOAD_FAILED', /GLIBCXX_3\.4\.32/],
    ['old Node', 'undefined symbol: napi_get_instance_data', {}, 'NATIVE_LOAD_FAILED', /needs Node-API 9/],
    [
      'missing symbol',
      'undefined symbol: _ZN2at6TensorE',
      { libraryPath: '/other/lib' },
      'NATIVE_LOAD_FAILED',
      /does not fit the LibTorch.*1\. LD_LIBRARY_PATH is "\/other\/lib"/s
    ],
    ['another machine', 'wrong ELF class: ELFCLASS32', {}, 'NATIVE_LOAD_FAILED', /built for another machine than linux x64/],
    [
      'permission model',
      'ERR_DLOPEN_DISABLED: Cannot load native addon because loading addons is disabled.',
      {},
      'NATIVE_LOAD_FAILED',
      /--allow-addons/
    ],
    ['anything else', 'something new', {}, 'NATIVE_LOAD_FAILED', /refused to load.*doctor --json/s]
  ] as const)('%s', (_name, error, more, code, text) => {
    const explained = explain(error, more)
    expect(explained.code).toBe(code)
    expect(explained.message).toMatch(text)
  })

  test.each([
    '/opt/torch/lib/libtorch_cpu.so: file too short',
    '/opt/torch/lib/libtorch_cpu.so: cannot read file data: Is a directory',
    '/opt/torch/lib/libtorch_cpu.so: undefined symbol: _ZN3c1013GeneratorImplE',
    '/opt/torch/lib/libtorch_cpu.so: wrong ELF class: ELFCLASS32',
    'libtorch_cpu.so has no aoti_torch_abi_version: it is older than LibTorch 2.11'
  ])("of LibTorch's own files is about LibTorch, and sends nobody to build the addon: %s", error => {
    const { code, subject, message } = explainLoadFailure({ kind: 'LibTorch refused', libtorch, error }, facts)
    expect({ code, subject }).toEqual({ code: 'LIBTORCH_NOT_FOUND', subject: '/opt/torch' })
    expect(message).toMatch(/^LibTorch 2\.13\.0 in \/opt\/torch \(the last set-up\) cannot be loaded: its files are damaged/)
    expect(message).toContain(`  - /opt/torch: ${error}`)
    expect(message).not.toContain('--build')
  })

  test('LD_LIBRARY_PATH is only mentioned where it is set', () => {
    expect(explain('undefined symbol: _ZN2at6TensorE').message).not.toContain('LD_LIBRARY_PATH')
  })
})

describe('the error of a machine', () => {
  test('without an addon', () => {
    const explained = explainLoadFailure({ kind: 'not built', addons: [{ path, builtFor: null }] }, facts)
    expect(explained).toMatchObject({ code: 'NATIVE_LOAD_FAILED', subject: null })
    expect(explained.message).toMatch(/no native addon for linux x64\.\n.*@wuerstchen\/linux-x64.*wuerstchen setup/s)
  })

  test('that no addon can be for', () => {
    const other = { ...facts, platform: 'darwin', arch: 'arm64', glibc: null }
    const { message } = explainLoadFailure({ kind: 'not built', addons: [] }, other)
    expect(message).toMatch(/no native addon for darwin arm64.*Linux only.*no glibc/s)
  })

  test('without LibTorch lists where it was looked for', () => {
    const tried = ['the torch package of python3: none']
    const explained = explainLoadFailure({ kind: 'no LibTorch', addons: [built], tried, refused: undefined }, facts)
    expect(explained).toMatchObject({ code: 'LIBTORCH_NOT_FOUND', subject: null })
    expect(explained.message).toMatch(
      /Expected a LibTorch 2\.11 to 2\.15 but found none\..*python3: none.*pip install torch==2\.13\.0/s
    )
  })

  test('whose user named what is none', () => {
    const refused = 'the variable WUERSTCHEN_LIBTORCH names no LibTorch in /x'
    const { message } = explainLoadFailure({ kind: 'no LibTorch', addons: [built], tried: [], refused }, facts)
    expect(message).toMatch(
      /but the variable WUERSTCHEN_LIBTORCH names no LibTorch in \/x\..*1\. Correct the variable, or unset it\./s
    )
  })

  test('whose LibTorch has no addon', () => {
    const newer = { ...libtorch, version: '2.14.1' }
    const explained = explainLoadFailure({ kind: 'no addon for it', addons: [built], libtorch: newer }, facts)
    expect(explained).toMatchObject({ code: 'LIBTORCH_NOT_FOUND', subject: '/opt/torch' })
    expect(explained.message).toMatch(/LibTorch 2\.14\.1 in \/opt\/torch .*addons for 2\.13 only.*setup --build/s)
  })
})
