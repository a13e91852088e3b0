import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { WuerstchenError } from '../errors.js'
import type { FileFacts } from './manifest.js'

/** Hashes that this process has computed, by path. A hash is valid as long as the file's inode, size and times stay the same. */
const known = new Map<string, { stamp: string; sha256: string }>()

/**
 * Makes sure that a file of a model directory is the one that its manifest describes, before anything opens it. A program is
 * code, and LibTorch checks neither its bytes nor what it does.
 * @param check false checks only that the file lies in the directory
 * @returns its absolute path, links resolved
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID (naming both sides)
 */
export async function verifyFile(directory: string, facts: FileFacts, check: boolean, signal?: AbortSignal): Promise<string> {
  const file = await insideOf(directory, facts.file)
  const found = await stat(file, { bigint: true })
  if (!found.isFile()) throw wrong(facts, directory, 'a plain file', 'something else')
  if (!check) return file
  if (found.size !== BigInt(facts.size)) throw wrong(facts, directory, `${facts.size} bytes`, `${found.size}`)
  const stamp = [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join()
  const memo = known.get(file)
  const sha256 = memo?.stamp === stamp ? memo.sha256 : await hashOf(file, signal)
  known.set(file, { stamp, sha256 })
  if (sha256 !== facts.sha256) throw wrong(facts, directory, `sha256 ${facts.sha256}`, sha256)
  return file
}

/** Links may point to other files of the directory, but never out of it. */
async function insideOf(directory: string, name: string): Promise<string> {
  try {
    const [root, file] = await Promise.all([realpath(directory), realpath(resolve(directory, name))])
    if (file.startsWith(root.endsWith(sep) ? root : root + sep)) return file
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new WuerstchenError(
      'MODEL_NOT_FOUND',
      `Expected the model file ${name} in ${directory} but reading it failed: ${reason}`,
      { subject: resolve(directory, name), cause: error }
    )
  }
  throw new WuerstchenError('MODEL_INVALID', `Expected the model file ${name} inside ${directory} but it leads out of it`, {
    subject: resolve(directory, name)
  })
}

async function hashOf(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal })
  return hash.digest('hex')
}

function wrong(facts: FileFacts, directory: string, expected: string, received: string): WuerstchenError {
  return new WuerstchenError(
    'MODEL_INVALID',
    `Expected ${expected} for the model file ${facts.file} in ${directory} but received ${received}`,
    { subject: resolve(directory, facts.file) }
  )
}
