import { WuerstchenError } from '../errors.js'
import { isRefusal } from './file-fault.js'

/** What the system's words mean for whoever wants a file written. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'it may not be written to',
  EPERM: 'it may not be written to',
  EROFS: 'its file system is read-only',
  ENOENT: 'its folder is not there',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'a folder is what it names',
  EEXIST: 'there is such a file already',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links lead to each other',
  EPIPE: 'its reader has left before the end',
  EBADF: 'it is not open for writing',
  ENXIO: 'nothing can be written to what is there',
  ENOSPC: 'its disk is full',
  EDQUOT: 'the quota of its disk is used up',
  EFBIG: 'a limit for the size of files stops it (ulimit -f)'
}

/** A fault in the words of the system, for what this package finds out itself. */
export function systemFault(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/**
 * The error about a file that cannot be written, with the system's as its cause. The subject is the path. What the system refused
 * for want of room, memory or descriptors is OUT_OF_MEMORY, because a later try can work; everything else is INVALID_ARGUMENT.
 */
export function writeFault(path: string, cause: unknown): WuerstchenError {
  const { code } = cause as { code?: string }
  const reason = REASONS[code ?? '']
  const detail = reason === undefined ? `the system said ${code ?? String(cause)}` : `${reason} (${code})`
  return new WuerstchenError(
    isRefusal({ code }) ? 'OUT_OF_MEMORY' : 'INVALID_ARGUMENT',
    `Expected a file that can be written for ${path} but ${detail}`,
    { subject: path, cause }
  )
}

/** Whether a reader closed its pipe before it had everything. */
export function isReaderGone(error: unknown): boolean {
  return [error, (error as Error | undefined)?.cause].some(each => (each as NodeJS.ErrnoException | undefined)?.code === 'EPIPE')
}
