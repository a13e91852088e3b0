import type { FastifyInstance } from 'fastify'

/** Every route of an instance, as `METHOD address`, read from the tree that Fastify prints of its router. */
export function routesOf(app: FastifyInstance): string[] {
  const above: string[] = []
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap(line => {
      const [, indent, part, methods] = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? []
      if (part === undefined) return []
      above.length = indent!.length / 4
      const url = above.join('') + part
      above.push(part)
      return methods === undefined ? [] : methods.split(', ').map(method => `${method} ${url}`)
    })
}
