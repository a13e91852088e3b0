import { minorOf, torchVersion } from '../install/version.mjs'
import type { ErrorCode } from '../errors.js'

/** One place where the addon was looked for. */
export interface Attempt {
  path: string
  /** What the system said; undefined if there is no such file. */
  error?: string
}

/** What is known about this machine. It is separate from the code that finds it out, so that each symptom can be tested. */
export interface LoadFacts {
  platform: string
  arch: string
  node: string
  /** The C library's version, or null if it is not glibc. */
  glibc: string | null
  libraryPath: string | undefined
  /** The LibTorch that the addon was built against, and the version in that folder now (null: the folder has none). */
  libtorch?: { directory: string; builtFor: string; now: string | null }
}

/** What is wrong, and what can be done about it, with the most likely fix first. */
export interface Diagnosis {
  code: ErrorCode
  what: string
  fixes: string[]
}

const rebuild =
  'Run "npx wuerstchen setup" (in a clone of the repository: "npm run setup"): it finds or installs LibTorch and builds the addon.'

/** The code and the text of the error that a user sees when the addon cannot be loaded. */
export function explainLoadFailure(attempts: readonly Attempt[], facts: LoadFacts): { code: ErrorCode; message: string } {
  const { code, what, fixes } = diagnose(attempts, facts)
  const message = [
    what,
    '',
    'Tried:',
    ...attempts.map(({ path, error }) => `  - ${path}: ${error ?? 'no such file'}`),
    '',
    'Possible solutions:',
    ...fixes.map((fix, index) => `  ${index + 1}. ${fix}`),
    '',
    `Node ${facts.node}, ${facts.platform} ${facts.arch}, ${facts.glibc === null ? 'no glibc' : `glibc ${facts.glibc}`}. "npx wuerstchen doctor" shows more.`
  ].join('\n')
  return { code, message }
}

/** What the attempts and the facts mean. */
export function diagnose(attempts: readonly Attempt[], facts: LoadFacts): Diagnosis {
  const error = attempts.find(attempt => attempt.error !== undefined)?.error
  if (error === undefined) return notBuilt(facts)
  return noLibtorch(error, facts) ?? otherLibtorch(facts) ?? refusedBySystem(error, facts)
}

function notBuilt({ platform, arch }: LoadFacts): Diagnosis {
  const fixes =
    platform === 'linux'
      ? [rebuild]
      : ['LibTorch addons are built for Linux only: use a container, a virtual machine or, on Windows, WSL.']
  return { code: 'NATIVE_LOAD_FAILED', what: `The native addon has not been built for ${platform} ${arch}.`, fixes }
}

function noLibtorch(error: string, { libtorch }: LoadFacts): Diagnosis | undefined {
  const library = /(lib(?:torch|c10)[\w.-]*): cannot open shared object file/.exec(error)?.[1]
  if (library === undefined) return undefined
  const where =
    libtorch === undefined
      ? ''
      : libtorch.now === null
        ? ` It was built against LibTorch ${libtorch.builtFor} in ${libtorch.directory}, which is no longer there.`
        : ` It was built against LibTorch ${libtorch.builtFor} in ${libtorch.directory}.`
  return {
    code: 'LIBTORCH_NOT_FOUND',
    what: `The native addon was found, but not the LibTorch it needs (${library}).${where}`,
    fixes: [
      rebuild,
      ...(libtorch === undefined
        ? []
        : [
            `If LibTorch ${libtorch.builtFor} was moved: put it back, or add the new place of its lib folder to LD_LIBRARY_PATH.`
          ]),
      'To use a LibTorch of your own: set WUERSTCHEN_LIBTORCH to its folder (with include/ and lib/) and run the set-up again.'
    ]
  }
}

function otherLibtorch({ libtorch }: LoadFacts): Diagnosis | undefined {
  if (libtorch === undefined || libtorch.now === null || minorOf(libtorch.builtFor) === minorOf(libtorch.now)) return undefined
  return {
    code: 'LIBTORCH_NOT_FOUND',
    what: `The native addon was built for LibTorch ${libtorch.builtFor}, but ${libtorch.directory} now holds ${libtorch.now}: they do not fit together.`,
    fixes: [`Put LibTorch ${libtorch.builtFor} back (for a Python torch: pip install torch==${libtorch.builtFor}).`, rebuild]
  }
}

function refusedBySystem(error: string, facts: LoadFacts): Diagnosis {
  const code = 'NATIVE_LOAD_FAILED'
  const missing = /version [`'](GLIBC|GLIBCXX|CXXABI)_([\d.]+)' not found/.exec(error)
  if (missing) {
    const needs = `${missing[1]}_${missing[2]}`
    return {
      code,
      what: `The native addon was built on a newer system than this one: it needs ${needs}.`,
      fixes: [
        rebuild,
        `If it is LibTorch itself that needs it: use a newer system (LibTorch ${torchVersion} needs glibc 2.28 and a libstdc++ of GCC 8 or newer).`
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
  if (/undefined symbol: (napi|node_api)_|did not self-register|different Node\.js version/.test(error)) {
    return {
      code,
      what: `Node ${facts.node} cannot load this addon: it needs Node-API 9.`,
      fixes: ['Use Node 20.19 or newer of its line, 22.14 or newer, or 24.', rebuild]
    }
  }
  if (/undefined symbol/.test(error)) {
    return {
      code,
      what: 'The native addon does not fit the LibTorch that the system loaded for it (a symbol is missing).',
      fixes: [
        ...(facts.libraryPath
          ? [
              `LD_LIBRARY_PATH is "${facts.libraryPath}" and comes before the LibTorch the addon was built for: unset it and try again.`
            ]
          : []),
        rebuild
      ]
    }
  }
  if (/ELF|wrong architecture|Exec format/i.test(error)) {
    return {
      code,
      what: `The native addon is damaged or was built for another machine than ${facts.platform} ${facts.arch}.`,
      fixes: [`Delete the folder build. ${rebuild}`]
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
    fixes: [`Delete the folder build. ${rebuild}`, 'If it stays: report it with the output of "npx wuerstchen doctor --json".']
  }
}
