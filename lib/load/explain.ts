import { minorOf, torchRange, torchRelease } from '../install/version.mjs'
import type { ErrorCode } from '../errors.js'
import { VERSION } from '../version.js'
import type { FoundLibtorch, LoadFailure } from './choose.js'
import type { AddonFile } from './locations.js'

/** What is known about this machine. It is separate from the code that finds it out, so that each symptom can be tested. */
export interface LoadFacts {
  platform: string
  arch: string
  /** What runs JavaScript, with its version: `Node 20.20.2`. */
  javascript: string
  /** The C library's version, or null if it is not glibc. */
  glibc: string | null
  libraryPath: string | undefined
}

/** What is wrong, and what can be done about it, with the most likely fix first. */
export interface Diagnosis {
  code: ErrorCode
  what: string
  fixes: string[]
}

const setup = 'Run "npx wuerstchen setup" (in a clone of the repository: "npm run setup"): it finds or installs LibTorch.'
const rebuild =
  'Run "npx wuerstchen setup --build" (in a clone of the repository: "npm run setup"): it builds the addon on this machine.'
const variable = 'To use a LibTorch of your own: set WUERSTCHEN_LIBTORCH to its folder.'

/** The code and the text of the error that a user sees when the addon cannot be loaded, and the file that it is about. */
export function explainLoadFailure(
  failure: LoadFailure,
  facts: LoadFacts
): { code: ErrorCode; message: string; subject: string | null } {
  const { code, what, fixes } = diagnose(failure, facts)
  const tried = triedBy(failure)
  const message = [
    what,
    ...(tried.length === 0 ? [] : ['', 'Tried:', ...tried.map(line => `  - ${line}`)]),
    '',
    'Possible solutions:',
    ...fixes.map((fix, index) => `  ${index + 1}. ${fix}`),
    '',
    `${facts.javascript}, ${facts.platform} ${facts.arch}, ${facts.glibc === null ? 'no glibc' : `glibc ${facts.glibc}`}. "npx wuerstchen doctor" shows more.`
  ].join('\n')
  return { code, message, subject: subjectOf(failure) }
}

/** What a failure and the facts mean. */
export function diagnose(failure: LoadFailure, facts: LoadFacts): Diagnosis {
  if (failure.kind === 'not built') return notBuilt(facts)
  if (failure.kind === 'no LibTorch') return noLibtorch(failure.refused)
  if (failure.kind === 'no addon for it') return noAddon(failure.addons, failure.libtorch)
  const { error, libtorch } = failure
  const known = missingLibrary(error, libtorch) ?? refusedAnyFile(error)
  if (known !== undefined) return known
  return failure.kind === 'LibTorch refused' ? damagedLibtorch(failure.libtorch, facts) : refusedAddon(error, facts)
}

function triedBy(failure: LoadFailure): readonly string[] {
  if (failure.kind === 'not built') return failure.addons.map(({ path }) => `${path}: no addon`)
  if (failure.kind === 'no LibTorch') return failure.tried
  if (failure.kind === 'no addon for it')
    return built(failure.addons).map(({ path, builtFor }) => `${path}: for LibTorch ${builtFor}`)
  return [`${failure.kind === 'LibTorch refused' ? failure.libtorch.directory : failure.path}: ${failure.error}`]
}

function subjectOf(failure: LoadFailure): string | null {
  if (failure.kind === 'refused by the system') return failure.path
  return failure.kind === 'no addon for it' || failure.kind === 'LibTorch refused' ? failure.libtorch.directory : null
}

function built(addons: readonly AddonFile[]): AddonFile[] {
  return addons.filter(({ builtFor }) => builtFor !== null)
}

function notBuilt({ platform, arch }: LoadFacts): Diagnosis {
  const fixes =
    platform === 'linux'
      ? [
          `Install the package of prebuilt addons: npm install --include=optional @wuerstchen/${platform}-${arch}@${VERSION}`,
          'Run "npx wuerstchen setup" (in a clone of the repository: "npm run setup"): it finds or installs LibTorch and builds the addon.'
        ]
      : ['LibTorch addons are built for Linux only: use a container, a virtual machine or, on Windows, WSL.']
  return { code: 'NATIVE_LOAD_FAILED', what: `There is no native addon for ${platform} ${arch}.`, fixes }
}

function noLibtorch(refused: string | undefined): Diagnosis {
  return {
    code: 'LIBTORCH_NOT_FOUND',
    what: `Expected a LibTorch ${torchRange} but ${refused ?? 'found none'}.`,
    fixes: [
      ...(refused === undefined ? [] : ['Correct the variable, or unset it.']),
      setup,
      `Or install a torch yourself: pip install torch==${torchRelease}`,
      variable
    ]
  }
}

function noAddon(addons: readonly AddonFile[], libtorch: FoundLibtorch): Diagnosis {
  const minors = built(addons).map(({ builtFor }) => minorOf(builtFor!))
  return {
    code: 'LIBTORCH_NOT_FOUND',
    what: `${nameOf(libtorch)} needs an addon of its own, and there are addons for ${minors.join(', ')} only.`,
    fixes: [rebuild, `Use a LibTorch of one of these versions: set WUERSTCHEN_LIBTORCH to its folder.`]
  }
}

function missingLibrary(error: string, libtorch: FoundLibtorch | null): Diagnosis | undefined {
  const library = /(lib[\w.+-]*\.so[\w.]*): cannot open shared object file/.exec(error)?.[1]
  if (library === undefined || libtorch === null) return undefined
  return {
    code: 'LIBTORCH_NOT_FOUND',
    what: `${nameOf(libtorch)} is not complete: ${library} is missing.`,
    fixes: [
      /^lib(cu|nv)/.test(library)
        ? 'A CUDA build of torch needs the packages that pip installs with it, on a machine without a GPU too: install it again, without --no-deps.'
        : 'Install it again.',
      setup,
      variable
    ]
  }
}

function nameOf({ directory, version, source }: FoundLibtorch): string {
  return `LibTorch ${version} in ${directory} (${source})`
}

function damagedLibtorch(libtorch: FoundLibtorch, facts: LoadFacts): Diagnosis {
  return {
    code: 'LIBTORCH_NOT_FOUND',
    what: `${nameOf(libtorch)} cannot be loaded: its files are damaged, of several versions, or for another machine than ${facts.platform} ${facts.arch}.`,
    fixes: ['Install it again.', setup, variable]
  }
}

/** What the system says of an addon and of LibTorch alike. */
function refusedAnyFile(error: string): Diagnosis | undefined {
  const code = 'NATIVE_LOAD_FAILED'
  const missing = /version [`'](GLIBC|GLIBCXX|CXXABI)_([\d.]+)' not found/.exec(error)
  if (missing) {
    const needs = `${missing[1]}_${missing[2]}`
    return {
      code,
      what: `The native addon was built on a newer system than this one: it needs ${needs}.`,
      fixes: [
        rebuild,
        'If it is LibTorch itself that needs it: use a newer system (LibTorch needs glibc 2.28 and a libstdc++ of GCC 8 or newer).'
      ]
    }
  }
  if (/failed to map segment|cannot allocate memory/i.test(error)) {
    return {
      code: 'OUT_OF_MEMORY',
      what: 'The system refused memory for the native addon or for LibTorch.',
      fixes: ['Allow this process more memory: ulimit -v, or the limit of its container.', 'End other programs, and try again.']
    }
  }
  return undefined
}

function refusedAddon(error: string, facts: LoadFacts): Diagnosis {
  const code = 'NATIVE_LOAD_FAILED'
  if (/undefined symbol: (napi|node_api)_|did not self-register|different Node\.js version/.test(error)) {
    return {
      code,
      what: `${facts.javascript} cannot load this addon: it needs Node-API 9.`,
      fixes: ['Use Node 20.19 or newer of its line, 22.14 or newer, or 24.', rebuild]
    }
  }
  if (/undefined symbol/.test(error)) {
    return {
      code,
      what: 'The native addon does not fit the LibTorch that the system loaded for it (a symbol is missing).',
      fixes: [
        ...(facts.libraryPath
          ? [`LD_LIBRARY_PATH is "${facts.libraryPath}" and comes before the LibTorch that was chosen: unset it and try again.`]
          : []),
        rebuild
      ]
    }
  }
  if (/ELF|wrong architecture|Exec format|file too short/i.test(error)) {
    return {
      code,
      what: `The native addon is damaged or was built for another machine than ${facts.platform} ${facts.arch}.`,
      fixes: [rebuild, 'Where the addon came with a package: delete node_modules and install again.']
    }
  }
  if (/ERR_DLOPEN_DISABLED|loading addons is disabled|allow-addons/.test(error)) {
    return {
      code,
      what: 'Node was started with its permission model, which refuses addons.',
      fixes: ['Start Node with --allow-addons too.']
    }
  }
  return {
    code,
    what: 'The system refused to load the native addon.',
    fixes: [rebuild, 'If it stays: report it with the output of "npx wuerstchen doctor --json".']
  }
}
