import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { WuerstchenError } from '../errors.js'
import { codeOfFault, faultOf, withFault, type FileFault } from '../files/file-fault.js'
import { PlainFile } from '../files/plain-file.js'
import type { FileFacts } from './manifest.js'

/** Hashes that this process has computed, by path. A hash is valid as long as the file's inode, size and times stay the same. */
const known = new Map<string, { stamp: string; sha256: string }>()

/** What all functions here need to know of a file. */
interface Request {
  directory: string
  facts: FileFacts
  /** false: the file only has to lie in the directory. */
  check: boolean
  signal?: AbortSignal | undefined
}

/**
 * Opens a file of a model directory, and makes sure that it is the one that its manifest describes. A program is code, and
 * LibTorch checks neither its bytes nor what it does. What was hashed is what is open: use it through the descriptor.
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID (naming both sides), OUT_OF_MEMORY; the signal's reason
 */
export async function openVerified(request: Request): Promise<PlainFile> {
  const { facts, directory, check, signal } = request
  return withFault(
    async () => {
      const file = await openInside(request)
      try {
        if (check) await expectHash(file, facts, directory, signal)
        return file
      } catch (error) {
        await file[Symbol.asyncDispose]()
        throw error
      }
    },
    fault => refusal(fault, facts, directory)
  )
}

/**
 * The bytes of a file of a model directory, and their sha256, which is computed whether or not it is compared.
 * @param most the most bytes that such a file may have
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID (naming both sides), OUT_OF_MEMORY; the signal's reason
 */
export async function readVerified(request: Request, most: number): Promise<{ file: string; bytes: Buffer; sha256: string }> {
  const { facts, directory, check, signal } = request
  return withFault(
    async () => {
      await using file = await openInside(request)
      if (check) expectSize(file, facts, directory)
      const hash = createHash('sha256')
      const bytes = await file.read(most, { signal, hash })
      const sha256 = hash.digest('hex')
      if (check) expectSame(sha256, facts, directory)
      return { file: file.path, bytes, sha256 }
    },
    fault => refusal(fault, facts, directory)
  )
}

async function openInside({ directory, facts, signal }: Request): Promise<PlainFile> {
  return PlainFile.open(await insideOf(directory, facts.file), signal)
}

async function expectHash(file: PlainFile, facts: FileFacts, directory: string, signal: AbortSignal | undefined): Promise<void> {
  expectSize(file, facts, directory)
  const memo = known.get(file.path)
  const stamp = `${file.stamp},${file.changed}`
  const sha256 = memo?.stamp === stamp ? memo.sha256 : await hashOf(file, signal)
  known.set(file.path, { stamp, sha256 })
  expectSame(sha256, facts, directory)
}

async function hashOf(file: PlainFile, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  await file.hashInto(hash, signal)
  await file.expectUnchanged()
  return hash.digest('hex')
}

function expectSize({ size }: PlainFile, facts: FileFacts, directory: string): void {
  if (size !== facts.size) throw wrong(facts, directory, `${facts.size} bytes`, `${size}`)
}

function expectSame(sha256: string, facts: FileFacts, directory: string): void {
  if (sha256 !== facts.sha256) throw wrong(facts, directory, `sha256 ${facts.sha256}`, sha256)
}

/** Links may point to other files of the directory, but never out of it. */
async function insideOf(directory: string, name: string): Promise<string> {
  const [root, file] = await Promise.all([realpath(directory), realpath(resolve(directory, name))]).catch((error: unknown) => {
    throw faultOf(error)
  })
  if (file.startsWith(root.endsWith(sep) ? root : root + sep)) return file
  throw new WuerstchenError('MODEL_INVALID', `Expected the model file ${name} inside ${directory} but it leads out of it`, {
    subject: resolve(directory, name)
  })
}

function refusal(fault: FileFault, { file }: FileFacts, directory: string): WuerstchenError {
  return new WuerstchenError(
    codeOfFault(fault, { unreadable: 'MODEL_NOT_FOUND', unfit: 'MODEL_INVALID' }),
    `Expected a plain file for the model file ${file} in ${directory} but ${fault.message}`,
    { subject: resolve(directory, file), cause: fault.cause ?? fault }
  )
}

function wrong(facts: FileFacts, directory: string, expected: string, received: string): WuerstchenError {
  return new WuerstchenError(
    'MODEL_INVALID',
    `Expected ${expected} for the model file ${facts.file} in ${directory} but received ${received}`,
    { subject: resolve(directory, facts.file) }
  )
}
