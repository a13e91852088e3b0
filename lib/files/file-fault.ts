import type { ErrorCode } from '../errors.js'

/**
 * Why a file could not be read. `unreadable`: the system says so (it is missing, or may not be read). `special`: it is no plain
 * file, and was not opened. `large`, `changed`: it has too many bytes, or other ones than when it was opened. `refused`: the
 * system had no memory or no file descriptors left, so that a later try can work.
 */
export type FaultKind = 'unreadable' | 'special' | 'large' | 'changed' | 'refused'

/** What the functions of this folder throw about a file. The caller knows what the file is for, and makes its own error of it. */
export class FileFault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.kind = kind
  }
}

/** What the system says where it has no more descriptors, memory or, to a writer, room to give. */
const REFUSALS: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT', 'EFBIG'])

/** Whether an error of the file system says that a resource was refused, so that a later try can work. */
export function isRefusal({ code }: { code?: string | undefined }): boolean {
  return REFUSALS.has(code)
}

/** The fault that an error of the file system is. */
export function faultOf(error: unknown): FileFault {
  if (error instanceof FileFault) return error
  const { code } = error as { code?: string }
  const refused = code === undefined ? isRefusedBuffer(error) : isRefusal({ code })
  return new FileFault(refused ? 'refused' : 'unreadable', `reading it failed: ${code ?? String(error)}`, { cause: error })
}

/** V8 refuses a buffer with a plain RangeError. */
function isRefusedBuffer(error: unknown): boolean {
  return error instanceof RangeError
}

/** The code of an error about a file: `unreadable` if the system cannot read it, `unfit` if what is there cannot be used. */
export function codeOfFault({ kind }: FileFault, codes: { unreadable: ErrorCode; unfit: ErrorCode }): ErrorCode {
  if (kind === 'refused') return 'OUT_OF_MEMORY'
  return kind === 'unreadable' ? codes.unreadable : codes.unfit
}

/** Makes the caller's error of a fault. Everything else, such as the reason of an aborted signal, stays what it is. */
export async function withFault<T>(work: () => Promise<T>, errorOf: (fault: FileFault) => Error): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof FileFault ? errorOf(error) : error
  }
}
