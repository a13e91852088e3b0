import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import openapiTypescript, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { root } from '../support/small-model.js'
import { withFakeServer } from './fake-backend.js'

/** A client of whoever likes types: it knows the API from the document alone. */
const CLIENT = `
import createClient from 'openapi-fetch'
import type { paths } from './openapi.js'

export async function draw(baseUrl: string): Promise<{ seed: number, status: string, unknown: string | undefined }> {
  const client = createClient<paths>({ baseUrl })
  const { data } = await client.POST('/v1/images/generations', { body: { prompt: 'a red heart', n: 1, seed: 7, output_format: 'webp' } })
  const created = await client.POST('/v1/jobs', { body: { endpoint: '/v1/images/generations', body: { prompt: 'a red heart' } } })
  const job = await client.GET('/v1/jobs/{id}', { params: { path: { id: created.data!.id } } })
  // @ts-expect-error It is a number.
  const refused = await client.POST('/v1/images/generations', { body: { prompt: 'a red heart', n: 'two' } })
  // A reply may also be the picture itself, or events.
  if (typeof data !== 'object' || !('data' in data)) throw new Error('not what was asked for')
  return { seed: data.data[0]!.seed, status: job.data!.status, unknown: refused.error?.error.code }
}
`

describe('a typed client made from the OpenAPI document', () => {
  test('compiles, knows what is wrong, and works', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const address = await app.listen({ port: 0, host: '127.0.0.1' })
      const document = (await (await fetch(`${address}/openapi.json`)).json()) as Parameters<typeof openapiTypescript>[0]
      // Within the repository, for its packages are found from there.
      const directory = join(root, 'build', `client-${process.pid}`)
      mkdirSync(directory, { recursive: true })
      try {
        writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
        writeFileSync(join(directory, 'openapi.ts'), astToString(await openapiTypescript(document)))
        writeFileSync(join(directory, 'client.ts'), CLIENT)
        const program = ts.createProgram([join(directory, 'client.ts')], {
          strict: true,
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.NodeNext,
          lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
          types: [],
          skipLibCheck: true
        })
        const complaints = ts
          .getPreEmitDiagnostics(program)
          .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
        expect(complaints).toEqual([])
        program.emit()
        const { draw } = (await import(pathToFileURL(join(directory, 'client.js')).href)) as {
          draw(address: string): Promise<object>
        }
        expect(await draw(address)).toEqual({ seed: 100, status: 'succeeded', unknown: 'invalid_value' })
      } finally {
        rmSync(directory, { recursive: true })
      }
    }))
})
