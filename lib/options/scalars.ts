import { expectInteger, expectNumber, expectOneOf } from './is.js'
import { OTHERS } from './others.js'
import { SAMPLING, type Call, type RecordedName, type Row, type ScalarName, type Scalars, type Texts } from './sampling.js'

/** Reads the table of sampling parameters. */

const ROWS: Readonly<Record<ScalarName, Row>> = SAMPLING
export const SCALAR_NAMES = Object.keys(SAMPLING) as ScalarName[]

export const RECORDED = SCALAR_NAMES.filter(name => ROWS[name].recorded) as RecordedName[]

/** The name of a recorded scalar within one stage's sampling: `guidanceScale` for `priorGuidanceScale`. */
export function recordedOf(stage: 'prior' | 'decoder'): { name: RecordedName; key: string }[] {
  return RECORDED.filter(name => ROWS[name].stage === stage).map(name => {
    const rest = name.slice(stage.length)
    return { name, key: rest.charAt(0).toLowerCase() + rest.slice(1) }
  })
}

export function rowOf(name: ScalarName): Row {
  return ROWS[name]
}

export function scalarsIn(call: Call): ScalarName[] {
  return SCALAR_NAMES.filter(name => ROWS[name].calls.includes(call))
}

/** All options of a call. */
export function optionsOf(call: Call): string[] {
  return [...scalarsIn(call), ...OTHERS[call]]
}

/**
 * The scalars among a call's options, checked. Those that were left out are absent, because their defaults depend on the model
 * and the call.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export function expectScalars<Of extends Call>(call: Of, given: Readonly<Partial<Record<string, unknown>>>): Scalars<Of> {
  const present = scalarsIn(call).filter(name => given[name] !== undefined)
  return Object.fromEntries(present.map(name => [name, expectScalar(name, given[name])])) as Scalars<Of>
}

function expectScalar(name: ScalarName, value: unknown): number | string {
  const { check } = ROWS[name]
  switch (check.kind) {
    case 'integer':
      return expectInteger(name, value, check.least, check.most)
    case 'number':
      return expectNumber(name, value, check.least, check.most)
    case 'choice':
      return expectOneOf(name, value, check.values)
  }
}

/** The text of a row for a call, in its flag or its field; undefined if the call has none. */
export function textFor(texts: Texts | null | undefined, call: Call): string | undefined {
  return typeof texts === 'string' ? texts : texts?.[call]
}
