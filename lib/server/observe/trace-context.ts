/**
 * The place of a piece of work in a distributed trace, as plain data: W3C Trace Context, https://www.w3.org/TR/trace-context/.
 */
export interface TraceContext {
  /** 32 hexadecimal digits, not all zero. */
  traceId: string
  /** The span that caused the work: 16 hexadecimal digits, not all zero. */
  spanId: string
  /** Bit 0: the caller may have recorded its span. Bit 1: the trace id is random. */
  flags: number
  /** What tracing systems pass on beside it, the newest first; empty where there is nothing. */
  state: string
}

/** Version 00 is exactly this long; a newer one may go on behind another dash. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The flags that the standard has a meaning for; the others have to be zero in what is sent. */
const KNOWN_FLAGS = 0b11

/**
 * The context that a request brings. A header that the standard calls invalid counts as none, and `tracestate` counts only beside
 * a `traceparent` that is valid.
 */
export function traceContextOf(headers: Readonly<Record<string, string | string[] | undefined>>): TraceContext | null {
  const { traceparent, tracestate = '' } = headers
  if (typeof traceparent !== 'string') return null
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent) ?? []
  if (version === undefined || (version === '00' && more !== undefined)) return null
  const state = stateOf([tracestate].flat().join(','))
  return { traceId: traceId!, spanId: spanId!, flags: Number.parseInt(flags!, 16) & KNOWN_FLAGS, state }
}

/** A context as a header: `traceparent`, or `traceresponse` in replies. */
export function traceparentOf({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`
}

const KEY = /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})$/
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/** The standard's bounds: of members, of what has to be passed on of them all, and of a member that is left out first. */
const [MOST_MEMBERS, MOST_CHARACTERS, LARGE_MEMBER] = [32, 512, 128]

/** The list as it is passed on; empty where any of it is invalid. */
function stateOf(header: string): string {
  const members = header
    .split(',')
    .map(member => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter(member => member !== '')
  const keys = members.map(member => member.slice(0, Math.max(0, member.indexOf('='))))
  const valid = members.every((member, index) => KEY.test(keys[index]!) && VALUE.test(member.slice(keys[index]!.length + 1)))
  if (!valid || members.length > MOST_MEMBERS || new Set(keys).size < keys.length) return ''
  return shortened(members).join(',')
}

function shortened(members: readonly string[]): readonly string[] {
  const fits = (list: readonly string[]) => list.join(',').length <= MOST_CHARACTERS
  if (fits(members)) return members
  const small = members.filter(member => member.length <= LARGE_MEMBER)
  return small.slice(0, small.findLastIndex((_, index) => fits(small.slice(0, index + 1))) + 1)
}
