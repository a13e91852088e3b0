import { fileURLToPath } from 'node:url'
import { invalid } from '../errors.js'
import { reading } from './read.js'

/** Whether a value is a URL, of this realm or of another: what counts is its text. */
export function isUrl(name: string, value: unknown): value is URL {
  return hrefOf(name, value) !== undefined
}

/**
 * The path that a `file:` URL stands for; undefined for anything that is no `file:` URL.
 * @throws WuerstchenError INVALID_ARGUMENT for one that stands for no path of this machine
 */
export function filePathOf(name: string, value: unknown): string | undefined {
  const href = hrefOf(name, value)
  if (href === undefined || !/^file:/i.test(href)) return undefined
  try {
    return fileURLToPath(href)
  } catch {
    throw invalid(name, 'a file: URL of a path on this machine', href)
  }
}

function hrefOf(name: string, value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { href, protocol } = reading(name, () => ({ href: (value as URL).href, protocol: (value as URL).protocol }))
  return typeof href === 'string' && typeof protocol === 'string' ? href : undefined
}
