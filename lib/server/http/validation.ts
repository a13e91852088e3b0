import type { z } from 'zod'
import { ApiError, unknownModel } from '../api/error.js'
import { expectationOf } from '../api/expectation.js'

/**
 * A request that does not fit its schema, as OpenAI's API says it: the first thing that is wrong, and the field.
 * @param spelt names that the request has for fields, where they are others than those of the schema
 */
export function refuseInput({ issues }: z.ZodError, spelt: Readonly<Record<string, string>> = {}): ApiError {
  const issue = issues[0]!
  const path = issue.path.map(String)
  const spell = (name: string) => spelt[name] ?? name
  if (issue.code === 'unrecognized_keys') {
    const param = [...path, issue.keys[0]!].join('.').slice(0, 100)
    return new ApiError({ status: 400, code: 'unknown_parameter', param }, `Unknown parameter: ${JSON.stringify(param)}`)
  }
  const param = path.map(spell).join('.')
  const about = { status: 400, ...(param === '' ? {} : { param }) }
  if (path.at(-1) === 'model') return unknownModel(param)
  if (issue.code === 'invalid_type' && issue.input === undefined && param !== '') {
    return new ApiError({ ...about, code: 'missing_required_parameter' }, `Missing required parameter: ${param}`)
  }
  return new ApiError({ ...about, code: 'invalid_value' }, expectationOf(issue, param === '' ? 'the body' : param))
}

/** For Fastify: checks a part of a request with a zod schema, and hands on what that makes of it. */
export function compileValidator({ schema }: { schema: z.ZodType }) {
  return (data: unknown) => {
    const { success, data: value, error } = schema.safeParse(data, { reportInput: true })
    return success ? { value } : { error: refuseInput(error) }
  }
}
