import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:https'
import { createSecureContext } from 'node:tls'
import { WuerstchenError } from '../../errors.js'

/** Paths of files in PEM: a certificate with its chain, and its key. */
export interface TlsFiles {
  /** The certificate's file, its chain included. */
  cert: string
  /** The private key's file. It is not encrypted. */
  key: string
}

/** What a server offers. Older versions of TLS are not safe any more (RFC 8996). */
export interface Identity {
  cert: Buffer
  key: Buffer
  minVersion: 'TLSv1.2'
  validTo: string
  /** Why clients will refuse it, if they will. */
  warning: string | undefined
}

/**
 * Reads a certificate and its key.
 * @throws WuerstchenError INVALID_ARGUMENT if a file cannot be read or used, or if the two do not belong together
 */
export async function readIdentity(files: TlsFiles): Promise<Identity> {
  const [cert, key] = await Promise.all([read(files.cert), read(files.key)])
  const certificate = attempt(files.cert, 'a certificate in PEM', () => new X509Certificate(cert))
  const privateKey = attempt(files.key, 'a private key in PEM, not encrypted,', () => createPrivateKey(key))
  if (!certificate.checkPrivateKey(privateKey))
    throw refused(files.key, `Expected the private key of the certificate ${files.cert} in ${files.key} but it is another's`)
  // What OpenSSL thinks of the whole chain, and of keys that are too short.
  attempt(files.cert, 'a certificate that OpenSSL takes', () => createSecureContext({ cert, key, minVersion: 'TLSv1.2' }))
  return { cert, key, minVersion: 'TLSv1.2', validTo: certificate.validTo, warning: warningOf(certificate) }
}

/** Gives a server that was made with a certificate another one. Connections that exist keep theirs. */
export function useIdentity(server: object, { cert, key, minVersion }: Identity): void {
  ;(server as Server).setSecureContext({ cert, key, minVersion })
}

function warningOf({ validFrom, validTo }: X509Certificate): string | undefined {
  if (Date.parse(validTo) < Date.now()) return `The certificate expired on ${validTo}`
  return Date.parse(validFrom) > Date.now() ? `The certificate is not valid before ${validFrom}` : undefined
}

async function read(file: string): Promise<Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw refused(file, `Expected a file that can be read for TLS but reading ${file} failed: ${error.code}`, error)
  })
}

function attempt<T>(file: string, what: string, use: () => T): T {
  try {
    return use()
  } catch (error) {
    throw refused(file, `Expected ${what} in ${file} but it cannot be used`, error)
  }
}

function refused(subject: string, message: string, cause?: unknown): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', message, { subject, cause })
}
