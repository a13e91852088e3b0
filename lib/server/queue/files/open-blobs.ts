import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { WuerstchenError } from '../../../errors.js'
import type { Blobs } from '../blobs.js'
import { DatabaseBlobs } from '../database-blobs.js'
import type { QueueDatabase } from '../queue-database.js'
import { loadSigner } from '../drivers.js'
import { DirectoryFiles } from './directory-files.js'
import type { FileStore } from './file-store.js'
import type { ResultsPlace } from './results-place.js'
import type { S3Times } from './s3-client.js'
import { S3Failure } from './s3-failure.js'
import { S3Files } from './s3-files.js'
import { s3Settings } from './s3-settings.js'
import { StoredBlobs } from './stored-blobs.js'

/** People are told soon. Whoever has made images keeps them for a while. */
const S3_TIMES: Record<'prompt' | 'patient', S3Times> = {
  prompt: { tryMs: 5000, allMs: 5000 },
  patient: { tryMs: 10_000, allMs: 60_000 }
}

/** @throws WuerstchenError INVALID_ARGUMENT where files cannot be kept there, or the package for S3 is missing */
export async function openBlobs(place: ResultsPlace, database: QueueDatabase, kind: 'prompt' | 'patient'): Promise<Blobs> {
  if (place === 'queue') return new DatabaseBlobs(database.parts)
  // A queue's own: whoever looks through its files has to know that those of other queues are none of them.
  const folder = await database.once('folder', randomBytes(9).toString('hex'))
  const files: FileStore =
    'directory' in place
      ? new DirectoryFiles(join(place.directory, folder))
      : new S3Files(await loadSigner(), s3Settings(), place, folder, S3_TIMES[kind])
  try {
    await expectUsable(files)
  } catch (error) {
    files.close?.()
    throw error
  }
  return new StoredBlobs(files, database)
}

/** Does at the start what will have to be done, because a wrong address is better known before work is taken on. */
async function expectUsable(files: FileStore): Promise<void> {
  const folder = `trial-${randomBytes(6).toString('hex')}`
  const path = `${folder}/in/0`
  try {
    await files.write(path, Buffer.from(folder))
    const read = await files.read(path)
    let listed = false
    for await (const each of files.list(folder)) listed ||= each.path === path
    await files.remove(path)
    if (read === undefined || !listed) throw new Error('A file that was written is not there')
  } catch (error) {
    const code = error instanceof S3Failure ? error.code || String(error.status) : codeOf(error)
    const why = error instanceof S3Failure ? `it answers ${code}` : `it does not work${code === undefined ? '' : ` (${code})`}`
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected a place where files can be written, read, listed and deleted for results but ${why}`,
      { subject: 'results', cause: error }
    )
  }
}

/** The system's word for a fault, or for what led to it: `EACCES`, `ENOENT`, `ECONNREFUSED`. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : codeOf(error.cause)
}
