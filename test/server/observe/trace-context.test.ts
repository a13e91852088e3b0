import { describe, expect, test } from 'vitest'
import { traceContextOf, traceparentOf } from '../../../lib/server/observe/trace-context.js'

// The cases of the standard's own test suite, https://github.com/w3c/trace-context/blob/main/test/test.py, by its names.

const TRACE = '12345678901234567890123456789012'
const SPAN = '1234567890123456'
const PARENT = `00-${TRACE}-${SPAN}-01`

describe('traceparent', () => {
  test.each<[string, string, number]>([
    ["the standard's example", '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 1],
    ['valid flags 00', `00-${TRACE}-${SPAN}-00`, 0],
    ['test_traceparent_version_0xcc, unknown version', `cc-${TRACE}-${SPAN}-01`, 1],
    ['test_traceparent_version_0xcc, with more', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, 1],
    ['test_traceparent_trace_flags, the random bit of level 2', `00-${TRACE}-${SPAN}-03`, 3],
    ['test_traceparent_trace_flags, bits without a meaning', `00-${TRACE}-${SPAN}-ff`, 3]
  ])('%s is read', (_, traceparent, flags) => {
    const context = traceContextOf({ traceparent })!
    const [, traceId, spanId] = traceparent.split('-')
    expect(context).toEqual({ traceId, spanId, flags, state: '' })
    expect(traceparentOf(context)).toBe(`00-${traceId}-${spanId}-0${flags}`)
  })

  test.each([
    ['test_traceparent_version_0xcc, without a dash', `cc-${TRACE}-${SPAN}-01.what-the-future-will-be-like`],
    ['test_traceparent_version_0xff', `ff-${TRACE}-${SPAN}-01`],
    ['test_traceparent_version_illegal_characters', `.0-${TRACE}-${SPAN}-01`],
    ['test_traceparent_version_illegal_characters', `0.-${TRACE}-${SPAN}-01`],
    ['test_traceparent_version_too_long', `000-${TRACE}-${SPAN}-01`],
    ['test_traceparent_version_too_short', `0-${TRACE}-${SPAN}-01`],
    ['version 00 with more', `${PARENT}-01`],
    ['version 00 with a dash', `${PARENT}-`],
    ['test_traceparent_trace_id_all_zero', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['test_traceparent_trace_id_illegal_characters', `00-.${TRACE.slice(1)}-${SPAN}-01`],
    ['test_traceparent_trace_id_illegal_characters', `00-${TRACE.slice(1)}.-${SPAN}-01`],
    ['test_traceparent_trace_id_too_long', `00-${TRACE}3-${SPAN}-01`],
    ['test_traceparent_trace_id_too_short', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['test_traceparent_parent_id_all_zero', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['test_traceparent_parent_id_illegal_characters', `00-${TRACE}-.${SPAN.slice(1)}-01`],
    ['test_traceparent_parent_id_too_long', `00-${TRACE}-${SPAN}7-01`],
    ['test_traceparent_parent_id_too_short', `00-${TRACE}-${SPAN.slice(1)}-01`],
    ['test_traceparent_trace_flags_illegal_characters', `00-${TRACE}-${SPAN}-.0`],
    ['test_traceparent_trace_flags_too_long', `00-${TRACE}-${SPAN}-001`],
    ['test_traceparent_trace_flags_too_short', `00-${TRACE}-${SPAN}-1`],
    ['test_traceparent_duplicated, as Node joins it', `${PARENT}, ${PARENT}`],
    ['upper case', `00-${'AB'.repeat(16)}-${SPAN}-01`],
    ['white space', ` ${PARENT}`],
    ['nothing', ''],
    ['a line break', `${PARENT}\n`]
  ])('%s counts as none: %j', (_, traceparent) => {
    expect(traceContextOf({ traceparent, tracestate: 'foo=1' })).toBeNull()
  })

  test('that is not there is none, and tracestate alone says nothing', () => {
    expect(traceContextOf({})).toBeNull()
    expect(traceContextOf({ tracestate: 'foo=1' })).toBeNull()
  })
})

describe('tracestate', () => {
  const stateOf = (tracestate: string | string[]) => traceContextOf({ traceparent: PARENT, tracestate })!.state
  /** All but the comma and the sign of equality. */
  const PRINTABLE = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index))
    .filter(each => !',='.includes(each))
    .join('')
  const list = (count: number) => Array.from({ length: count }, (_, index) => `bar${String(index).padStart(2, '0')}=${index}`)

  test.each<[string, string | string[], string]>([
    ['test_tracestate_included', 'foo=1,bar=2', 'foo=1,bar=2'],
    ['test_tracestate_multiple_headers_different_keys', ['foo=1', 'bar=2'], 'foo=1,bar=2'],
    ['test_tracestate_empty_header', ['foo=1', ''], 'foo=1'],
    ['test_tracestate_ows_handling', 'foo=1 \t , \t bar=2, \t baz=3', 'foo=1,bar=2,baz=3'],
    [
      'test_tracestate_all_allowed_characters',
      `abcdefghijklmnopqrstuvwxyz0123456789_-*/= ${PRINTABLE}`,
      `abcdefghijklmnopqrstuvwxyz0123456789_-*/= ${PRINTABLE}`
    ],
    ['a blank inside a value', 'a= b', 'a= b'],
    ['test_tracestate_key_length_limit', `${'z'.repeat(256)}=1`, `${'z'.repeat(256)}=1`],
    [
      'test_tracestate_key_length_limit, of a tenant',
      `${'t'.repeat(241)}@${'v'.repeat(14)}=1`,
      `${'t'.repeat(241)}@${'v'.repeat(14)}=1`
    ],
    ['test_tracestate_member_count_limit', list(32).join(','), list(32).join(',')],
    ['test_tracestate_value_length', `foo=${'v'.repeat(256)}`, `foo=${'v'.repeat(256)}`]
  ])('%s', (_, given, passed) => {
    expect(stateOf(given)).toBe(passed)
  })

  test.each([
    ['test_tracestate_key_illegal_characters', 'foo =1'],
    ['test_tracestate_key_illegal_characters', 'FOO=1'],
    ['test_tracestate_key_illegal_characters', 'foo.bar=1'],
    ['test_tracestate_key_illegal_vendor_format', 'foo@=1,bar=2'],
    ['test_tracestate_key_illegal_vendor_format', '@foo=1,bar=2'],
    ['test_tracestate_key_illegal_vendor_format', 'foo@@bar=1,bar=2'],
    ['test_tracestate_key_illegal_vendor_format', 'foo@bar@baz=1,bar=2'],
    ['test_tracestate_key_length_limit', `${'z'.repeat(257)}=1`],
    ['test_tracestate_key_length_limit', `${'t'.repeat(242)}@v=1`],
    ['test_tracestate_key_length_limit', `t@${'v'.repeat(15)}=1`],
    ['test_tracestate_duplicated_keys', 'foo=1,foo=2'],
    ['test_tracestate_member_count_limit', list(33).join(',')],
    ['a value with a sign of equality', 'foo=bar=baz'],
    ['a value that is too long', `foo=${'v'.repeat(257)}`],
    ['no value', 'foo='],
    ['no sign of equality', 'foo'],
    ['a line break', 'foo=1\nbar'],
    ['what is no ASCII', 'foo=ä']
  ])('%s: all of it is left out, and traceparent counts: %j', (_, given) => {
    expect(stateOf(given)).toBe('')
  })

  test('that is longer than has to be passed on loses its large members first, then its last ones', () => {
    const member = (key: string, length: number) => `${key}=${'v'.repeat(length - key.length - 1)}`
    const small = ['a', 'b', 'c', 'd', 'e'].map(key => member(key, 120))
    expect(stateOf([member('large', 129), ...small].join(','))).toBe(small.slice(0, 4).join(','))
  })
})
