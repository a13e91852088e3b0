import type { z } from 'zod'

type Issue = z.core.$ZodIssue

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
  undefined: 'nothing'
}

const FORMATS: Readonly<Record<string, string>> = { uuid: 'a UUID', url: 'an address' }

const UNITS: Readonly<Record<string, [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries']
}

/**
 * What is wrong with a value, as a sentence: `Expected <what> for <name> but received <value> of type <type>`. It does not quote
 * texts of the request, which may be private and end up in somebody's log.
 */
export function expectationOf(issue: Issue, name: string): string {
  // Rules and checks of our own bring whole sentences, or say what they expect.
  if (issue.code === 'custom' && issue.params === undefined) return issue.message
  return `Expected ${expected(issue)} for ${name} but received ${describeReceived(issue.input)}`
}

/** A value without its texts. */
export function describeReceived(value: unknown): string {
  if (typeof value === 'string') return `${value.length} ${value.length === 1 ? 'character' : 'characters'} of type string`
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return `${value.length} ${value.length === 1 ? 'entry' : 'entries'} of type array`
  if (typeof value === 'object') return Buffer.isBuffer(value) ? 'a file' : 'an object of type object'
  return `${String(value)} of type ${typeof value}`
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeText(issue.expected)
    case 'invalid_value':
      return `${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(each => (each === '' ? '""' : String(each))).join(', ')}`
    case 'too_big':
      return bounded(issue.origin, 'at most', issue.maximum)
    case 'too_small':
      return bounded(issue.origin, 'at least', issue.minimum)
    case 'invalid_format':
      return FORMATS[issue.format] ?? 'a text of another form'
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'custom':
      return String(issue.params?.['expected'])
    case 'invalid_union': {
      if ('options' in issue && Array.isArray(issue.options)) return `one of ${issue.options.map(String).join(', ')}`
      const each = issue.errors.flatMap(([first]) => (first === undefined ? [] : [expected(first)]))
      return each.length === 0 ? 'another value' : [...new Set(each)].join(' or ')
    }
    case 'unrecognized_keys':
    case 'invalid_key':
    case 'invalid_element':
      return 'other names and entries'
  }
}

function typeText(type: string): string {
  return TYPES[type] ?? `a value of type ${type}`
}

function bounded(origin: string, relation: string, bound: number | bigint): string {
  const unit = UNITS[origin]
  if (unit === undefined) return `${typeText(origin)} of ${relation} ${bound}`
  return `${typeText(origin)} of ${relation} ${bound} ${unit[Number(bound) === 1 ? 0 : 1]}`
}
