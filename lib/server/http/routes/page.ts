import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import files from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { packageRoot } from '../../../install/root.mjs'
import { ApiError } from '../../api/error.js'

/** Built from `lib/server/page`. */
const FOLDER = join(packageRoot, 'dist', 'server', 'page')

/** The web page and its parts: files of this package, the same for everybody. What they ask of the API needs its key. */
export async function addPage(app: FastifyInstance): Promise<void> {
  await app.register(files, { root: FOLDER, serve: false, cacheControl: false })
  // Of a request's path nothing reaches the file system but a name that is one of these.
  const parts = new Set(await partsOf(FOLDER))
  const config = { auth: 'public' } as const
  // Asked for again each time: pages of two versions of this package do not mix.
  const send = (reply: FastifyReply, part: string) => {
    if (!parts.has(part)) throw new ApiError({ status: 404, code: 'unknown_url' }, 'There is nothing at this address')
    return reply.header('cache-control', 'no-cache').sendFile(part)
  }
  // Its parts are found beside it: without the slash they would be looked for one level above.
  if (app.prefix !== '') {
    const folder = `${app.prefix.split('/').at(-1)}/`
    app.get('', { config, prefixTrailingSlash: 'no-slash' }, (_, reply) => reply.redirect(folder, 308))
  }
  app.get('/', { config, prefixTrailingSlash: 'slash' }, (_, reply) => send(reply, 'index.html'))
  app.get<{ Params: { part: string } }>('/page/:part', { config }, ({ params: { part } }, reply) => send(reply, part))
  app.get<{ Params: { part: string; file: string } }>('/page/:part/:file', { config }, ({ params: { part, file } }, reply) =>
    send(reply, `${part}/${file}`)
  )
}

/** The files in a folder and in those below it, as addresses name them. */
async function partsOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll(sep, '/'))
}
