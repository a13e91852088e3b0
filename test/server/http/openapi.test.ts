import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { withFakeServer } from '../fake-backend.js'

test('the document is valid OpenAPI 3.1, by a validator of somebody else', () =>
  withFakeServer({}, async app => {
    const document = (await app.inject({ url: '/openapi.json' })).json() as {
      paths: Record<string, Record<string, { responses: Record<string, { description?: string }> }>>
    }
    const validator = new Validator()
    const { valid, errors } = await validator.validate(structuredClone(document))
    expect(errors ?? []).toEqual([])
    expect([valid, validator.version]).toEqual([true, '3.1'])
    // That it looks at responses at all.
    delete document.paths['/v1/jobs']!['post']!.responses['202']!.description
    expect((await validator.validate(document)).valid).toBe(false)
  }))

test('every route names what it answers, and every answer says what it means', () =>
  withFakeServer({}, async app => {
    const { paths } = (await app.inject({ url: '/openapi.json' })).json() as {
      paths: Record<string, Record<string, { responses: Record<string, { description?: string }> }>>
    }
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { responses }] of Object.entries(methods))
        for (const [status, { description }] of Object.entries(responses))
          expect(description, `${method} ${path} ${status}`).toMatch(/\w+.*\.$/)
  }))
