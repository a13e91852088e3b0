import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { vi } from 'vitest'
import { S3Server } from '../../../support/s3.js'

/** A place for files of jobs, as `--results` names it. */
export interface Place {
  address: string
  end(): Promise<void>
}

/** Opens a place that nobody else has. */
export const PLACES: Record<'queue' | 'file' | 's3', () => Promise<Place>> = {
  queue: async () => ({ address: 'queue', end: async () => {} }),
  file: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'wuerstchen-results-'))
    return { address: pathToFileURL(directory).href, end: async () => rmSync(directory, { recursive: true, force: true }) }
  },
  s3: async () => {
    const server = await S3Server.start()
    server.stubEnv()
    return {
      address: server.place,
      async end() {
        vi.unstubAllEnvs()
        await server.stop()
      }
    }
  }
}
