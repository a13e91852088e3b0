import { z } from 'zod'
import { VERSION } from '../../index.js'
import { COMPLETED, ERROR_REPLY, PARTIAL_IMAGE } from '../api/replies.js'
import { WEBUI_ERROR } from '../sdapi/replies.js'

type JsonSchema = Record<string, unknown>

/** What the document says of one content type: a schema, text, or bytes. */
export type Content = Readonly<Record<string, z.ZodType | 'text' | 'binary'>>

/** What the document says of a route. */
export interface Operation {
  id: string
  summary: string
  tag: string
  /** A body in JSON; `multipart` where it may come as a form too, with its base64 fields as files. */
  body?: { schema: z.ZodType; multipart?: boolean }
  query?: z.ZodObject
  params?: z.ZodObject
  headers?: z.ZodObject
  /** Replies by status; the errors that every route may answer with are added. */
  replies: Readonly<Record<number, { description: string; content?: Content }>>
  errors?: readonly ErrorStatus[]
  /** The form of errors where it is not OpenAI's. */
  errorForm?: 'WebuiError'
}

export interface DocumentedRoute {
  method: string
  url: string
  auth: string
  /** Whether the key may also be a password. */
  basic: boolean
  operation: Operation
}

/** Every status that a route may name. A route that names another does not compile. */
const ERRORS = {
  400: 'A field is unknown, missing or not usable; param names it.',
  401: 'There is no valid API key.',
  403: 'The key may not do this.',
  404: 'There is no such thing.',
  406: 'The header Accept asks for another form than the reply has.',
  409: 'The job is not finished, or was cancelled; or the idempotency key stands for another request.',
  410: 'The job is known no longer.',
  413: 'The body is too large.',
  415: 'The content type is not one of those listed.',
  422: 'A stage gave numbers that are not finite; try other parameters.',
  429: 'Too many requests of this key; see Retry-After.',
  500: 'The server failed.',
  503: 'Too much waits, the server is ending, or the model cannot be loaded; see Retry-After.',
  504: 'It was not finished in time.'
} as const

type ErrorStatus = keyof typeof ERRORS

/** The OpenAPI 3.1 document of these routes, made from the very schemas that requests are checked with. */
export function describeRoutes(routes: readonly DocumentedRoute[]): JsonSchema {
  const paths: Record<string, JsonSchema> = {}
  for (const { method, url, auth, basic, operation } of routes) {
    const path = (paths[url.replace(/:(\w+)/g, '{$1}')] ??= {})
    path[method.toLowerCase()] = describe(operation, auth, basic)
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Würstchen',
      version: VERSION,
      description: "Text to image with Würstchen v2; the names and shapes of OpenAI's Images API, and own fields beside them."
    },
    paths,
    components: {
      // OpenAPI has no word for what is in a stream of events; their data is described here.
      schemas: {
        Error: jsonSchema(ERROR_REPLY, 'output'),
        WebuiError: jsonSchema(WEBUI_ERROR, 'output'),
        PartialImageEvent: jsonSchema(PARTIAL_IMAGE, 'output'),
        CompletedEvent: jsonSchema(COMPLETED, 'output')
      },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' }, password: { type: 'http', scheme: 'basic' } }
    }
  }
}

function describe(operation: Operation, auth: string, basic: boolean): JsonSchema {
  const { id, summary, tag, body, query, params, headers, replies, errors = [], errorForm = 'Error' } = operation
  const always: readonly ErrorStatus[] = auth === 'public' ? [] : [401]
  return {
    operationId: id,
    summary,
    tags: [tag],
    security: auth === 'public' ? [] : [{ key: [] }, ...(basic ? [{ password: [] }] : [])],
    ...(params === undefined && query === undefined && headers === undefined
      ? {}
      : { parameters: [...parameters(params, 'path'), ...parameters(query, 'query'), ...parameters(headers, 'header')] }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: bodyContent(body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(replies).map(([status, { description, content = {} }]) => [
          status,
          { description, content: replyContent(content) }
        ])
      ),
      ...Object.fromEntries(
        [...always, ...errors].map(status => [
          status,
          {
            description: ERRORS[status],
            content: { 'application/json': { schema: { $ref: `#/components/schemas/${errorForm}` } } }
          }
        ])
      )
    }
  }
}

function parameters(schema: z.ZodObject | undefined, place: 'path' | 'query' | 'header'): JsonSchema[] {
  if (schema === undefined) return []
  const { properties, required = [] } = jsonSchema(schema, 'input') as {
    properties: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest
  }))
}

function bodyContent({ schema, multipart = false }: NonNullable<Operation['body']>): JsonSchema {
  const json = jsonSchema(schema, 'input')
  return { 'application/json': { schema: json }, ...(multipart ? { 'multipart/form-data': { schema: asForm(json) } } : {}) }
}

/** In a form a file is a part of its own, not base64, and a list of one is written as that one. */
function asForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asForm)
  if (value === null || typeof value !== 'object') return value
  const { contentEncoding, ...rest } = value as JsonSchema
  const own = contentEncoding === undefined ? rest : { ...rest, contentMediaType: 'application/octet-stream' }
  const read = Object.fromEntries(Object.entries(own).map(([key, each]) => [key, asForm(each)]))
  return read['type'] === 'array' ? { anyOf: [read, read['items']] } : read
}

function replyContent(content: Content): JsonSchema {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => {
      // A client that reads the whole body gets text. One that reads event by event gets objects, which the components describe.
      // Without a schema the body would have any type, and with it the replies of typed clients.
      if (type === 'text/event-stream') return [type, { schema: { type: ['string', 'object'] } }]
      return [
        type,
        {
          schema:
            typeof schema === 'string'
              ? { type: 'string', ...(schema === 'binary' ? { format: 'binary' } : {}) }
              : jsonSchema(schema, 'output')
        }
      ]
    })
  )
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema
  return rest
}
