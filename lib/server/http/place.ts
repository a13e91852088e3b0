import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { invalid, WuerstchenError } from '../../errors.js'
import { expectInteger, expectString } from '../../options/is.js'
import { isLocalName } from './client.js'

/** Where a server listens: an address and a port, of which 0 is any that is free, or the file of a unix socket. */
export type Place =
  | {
      /** An address or a name, as in `127.0.0.1`. */
      host: string
      /** 0 to 65535; 0 is any that is free. */
      port: number
    }
  | {
      /** The file of a unix socket, at most 103 bytes long. */
      path: string
    }

/** The owner and the group of the file may connect. */
const SOCKET_MODE = 0o660

/** @throws WuerstchenError INVALID_ARGUMENT */
export function checkPlace(place: Place): Place {
  if ('path' in place) {
    const path = expectString('path', place.path)
    // The kernel has room for 108 bytes, with a zero at their end; macOS for 104.
    if (path === '' || Buffer.byteLength(path) > 103 || path.includes('\0'))
      throw invalid('path', 'the file of a unix socket, at most 103 bytes long,', path)
    return { path }
  }
  const host = expectString('host', place.host).replace(/^\[(.*)\]$/, '$1')
  if (host === '' || /[\s/?#@[\]]/.test(host)) throw invalid('host', 'an address or a name', place.host)
  return { host, port: expectInteger('port', place.port, 0, 65_535) }
}

/** Whether other machines cannot reach it. */
export function isLocalPlace(place: Place): boolean {
  return 'path' in place || isLocalName(place.host)
}

/** @throws WuerstchenError INVALID_ARGUMENT for an address that is not of this machine, or a file that is no socket */
export async function listenAt(app: FastifyInstance, place: Place): Promise<void> {
  if ('path' in place) {
    await removeStale(place.path)
    await app.listen({ path: place.path })
    // Node removes the file when the server closes.
    await chmod(place.path, SOCKET_MODE)
    return
  }
  try {
    await app.listen(place)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!['ENOTFOUND', 'EADDRNOTAVAIL', 'EAI_AGAIN', 'EINVAL', 'EAFNOSUPPORT'].includes(code)) throw error
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected an address of this machine for host but received "${place.host}": ${code}`,
      {
        subject: 'host',
        cause: error
      }
    )
  }
}

/** A server that was killed leaves its file behind. One that somebody listens at is not ours to remove. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return
  if (!found.isSocket()) throw invalid('path', 'a socket, or nothing yet, at the path of a unix socket', path)
  if ((await tryConnection(path)) === 'ECONNREFUSED') await unlink(path)
}

/** The code of the error with which connecting fails; listening then fails with an error of its own, if it has to. */
function tryConnection(path: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
}
