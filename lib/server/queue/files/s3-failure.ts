import { xmlTexts } from './s3-xml.js'

/** Codes with which S3 asks for another try, whatever the status. */
const PASSING: ReadonlySet<string> = new Set([
  'SlowDown',
  'RequestTimeout',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted'
])

/**
 * What a store refused. S3's own message is left out: it has the id of the key, and the text that was to be signed.
 */
export class S3Failure extends Error {
  override readonly name = 'S3Failure'
  readonly status: number
  /** S3's name for what is wrong, as in NoSuchBucket; empty where the reply has none. */
  readonly code: string

  constructor(status: number, body: string) {
    const code = codeIn(body)
    super(`${status} ${code}`.trim())
    this.status = status
    this.code = code
  }

  /** Whether another try may do. */
  get passes(): boolean {
    return this.status >= 500 || this.status === 429 || PASSING.has(this.code)
  }
}

function codeIn(body: string): string {
  try {
    const code = xmlTexts(body).find(([name]) => name === 'Code')?.[1] ?? ''
    return /^[A-Za-z0-9.]{1,60}$/.test(code) ? code : ''
  } catch {
    return ''
  }
}
