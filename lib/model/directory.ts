import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { packageRoot } from '../install/root.mjs'
import { invalid, show, WuerstchenError } from '../errors.js'
import { codeOfFault, withFault } from '../files/file-fault.js'
import { MANIFEST_BOUNDS, parseJson } from '../files/json.js'
import { readPlainFile } from '../files/plain-file.js'
import { filePathOf } from '../options/file-url.js'
import { expectString } from '../options/is.js'
import { addCompiled } from './compiled.js'
import { LARGEST_MANIFEST, MANIFEST, wrongFields, type Manifest, type ModelDirectory } from './manifest.js'

export const MANIFEST_FILE = 'wuerstchen.json'

/** The directory to load: the argument, else WUERSTCHEN_MODEL, else the packaged model. */
export function modelPath(directory: unknown): string {
  const path = filePathOf('modelDir', directory)
  if (path !== undefined) return path
  if (directory !== null && typeof directory === 'object')
    throw invalid('modelDir', 'a directory, or nothing', directory, 'Options are the second argument')
  if (directory !== undefined) return resolve(expectString('modelDir', directory))
  const fromEnvironment = process.env['WUERSTCHEN_MODEL']
  if (fromEnvironment !== undefined && fromEnvironment !== '') return resolve(fromEnvironment)
  return join(packageRoot, 'models', 'tiny')
}

/**
 * Reads and checks `wuerstchen.json`, and `compiled/compiled.json` if there is one.
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID, OUT_OF_MEMORY; the signal's reason
 */
export async function readModel(path: string, signal?: AbortSignal): Promise<ModelDirectory> {
  if (path.includes('\0'))
    throw new WuerstchenError('MODEL_NOT_FOUND', 'Expected a directory name without a zero byte for modelDir', {
      subject: 'modelDir'
    })
  const bytes = await readManifest(path, signal)
  const manifest = await addCompiled(path, parseManifest(path, bytes), signal)
  return { path, manifest, hash: createHash('sha256').update(bytes).digest('hex') }
}

const WHERE_FROM =
  'Without a directory, the embedded model is loaded; "npx wuerstchen pull" and "npx wuerstchen export" make model directories'

async function readManifest(path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const file = resolve(path, MANIFEST_FILE)
  return withFault(
    () => readPlainFile(file, LARGEST_MANIFEST, { signal }),
    fault => {
      const code = codeOfFault(fault, { unreadable: 'MODEL_NOT_FOUND', unfit: 'MODEL_INVALID' })
      const message = `Expected a model directory with a plain file ${MANIFEST_FILE} at ${path} but ${fault.message}`
      return new WuerstchenError(code, code === 'MODEL_NOT_FOUND' ? `${message}. ${WHERE_FROM}` : message, {
        subject: file,
        cause: fault.cause ?? fault
      })
    }
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
    json = parseJson(bytes.toString('utf8'), MANIFEST_BOUNDS)
  } catch (error) {
    throw refuse(`it is not JSON: ${(error as Error).message}`, error)
  }
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion
  if (version !== 1) throw refuse(`its formatVersion is ${show(version)}, this version reads 1`)
  const parsed = MANIFEST.safeParse(json)
  if (parsed.success) return parsed.data
  throw refuse(wrongFields(parsed.error), parsed.error)
}
