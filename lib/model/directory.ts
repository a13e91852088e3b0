import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { packageRoot } from '../install/root.mjs'
import { WuerstchenError } from '../errors.js'
import { filePathOf } from '../options/file-url.js'
import { expectString } from '../options/is.js'
import { addCompiled } from './compiled.js'
import { MANIFEST, type Manifest, type ModelDirectory } from './manifest.js'

export const MANIFEST_FILE = 'wuerstchen.json'
const LARGEST_MANIFEST = 16 * 1024 * 1024

/** The directory to load: the argument, else WUERSTCHEN_MODEL, else the packaged model. */
export function modelPath(directory: unknown): string {
  const path = filePathOf('modelDir', directory)
  if (path !== undefined) return path
  if (directory !== undefined) return resolve(expectString('modelDir', directory))
  const fromEnvironment = process.env['WUERSTCHEN_MODEL']
  if (fromEnvironment !== undefined && fromEnvironment !== '') return resolve(fromEnvironment)
  return join(packageRoot, 'models', 'tiny')
}

/**
 * Reads and checks `wuerstchen.json`, and `compiled/compiled.json` if there is one.
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID
 */
export async function readModel(path: string): Promise<ModelDirectory> {
  if (path.includes('\0'))
    throw new WuerstchenError('MODEL_NOT_FOUND', 'Expected a directory name without a zero byte for modelDir', {
      subject: 'modelDir'
    })
  const bytes = await readManifest(path)
  const manifest = await addCompiled(path, parseManifest(path, bytes))
  return { path, manifest, hash: createHash('sha256').update(bytes).digest('hex') }
}

async function readManifest(path: string): Promise<Buffer> {
  const file = resolve(path, MANIFEST_FILE)
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new WuerstchenError(
      'MODEL_NOT_FOUND',
      `Expected a model directory with a ${MANIFEST_FILE} at ${path} but reading it failed: ${reason}`,
      { subject: file, cause: error }
    )
  }
  if (bytes.length <= LARGEST_MANIFEST) return bytes
  throw new WuerstchenError(
    'MODEL_INVALID',
    `Expected a ${MANIFEST_FILE} of at most ${LARGEST_MANIFEST} bytes at ${path} but it has ${bytes.length}`,
    { subject: file }
  )
}

function parseManifest(path: string, bytes: Buffer): Manifest {
  const refuse = (detail: string, cause?: unknown) =>
    new WuerstchenError('MODEL_INVALID', `Expected a valid ${MANIFEST_FILE} at ${path} but ${detail}`, {
      subject: resolve(path, MANIFEST_FILE),
      cause
    })
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw refuse(`it is not JSON: ${(error as Error).message}`, error)
  }
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion
  if (version !== 1) throw refuse(`its formatVersion is ${JSON.stringify(version)}, this version reads 1`)
  const parsed = MANIFEST.safeParse(json)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.slice(0, 3).map(issue => `${issue.path.join('.')}: ${issue.message}`)
  throw refuse(`${parsed.error.issues.length} of its fields are wrong: ${issues.join('; ')}`, parsed.error)
}
