import { z } from 'zod'
import { WuerstchenError } from '../../errors.js'
import { expectTimesteps } from '../../internal.js'
import { OTHERS } from '../../options/others.js'
import type { Call } from '../../options/sampling.js'
import type { Limits } from '../limits.js'
import { fieldName } from './field-name.js'

/** Lists of noise levels that a call may take: the timesteps of a stage, and where the prior's guidance works. */
const LISTS = ['priorTimesteps', 'priorGuidanceInterval', 'decoderTimesteps'] as const
type List = (typeof LISTS)[number]

/** What a body says of them, by the library's names. */
type Levels = { priorTimesteps?: number[]; priorGuidanceInterval?: [number, number]; decoderTimesteps?: number[] }

/** The field that already says how many steps there are, and the one that says it otherwise. */
const STEPS = { priorTimesteps: 'prior_steps', decoderTimesteps: 'decoder_steps' } as const

function listsOf(call: Call): List[] {
  const names: readonly string[] = OTHERS[call]
  return LISTS.filter(list => names.includes(list))
}

/** The fields of a call that are lists of noise levels. */
export function levelFieldNames(call: Call): string[] {
  return listsOf(call).map(list => fieldName(list))
}

/** Typed as no fields at all, as the other sampling parameters are: `levelsOf` reads them. */
export function levelFields(call: Call, limits: Limits): object {
  const types: Record<List, () => z.ZodType> = {
    priorTimesteps: () => timesteps('priorTimesteps', limits.maxPriorSteps),
    priorGuidanceInterval: interval,
    decoderTimesteps: () => timesteps('decoderTimesteps', limits.maxDecoderSteps)
  }
  return Object.fromEntries(listsOf(call).map(list => [fieldName(list), types[list]()]))
}

function timesteps(list: keyof typeof STEPS, mostSteps: number): z.ZodType {
  return z
    .array(z.number().min(0).max(1))
    .min(2)
    .max(mostSteps + 1)
    .superRefine((value, context) => {
      try {
        expectTimesteps(fieldName(list), value)
      } catch (error) {
        if (!WuerstchenError.is(error, 'INVALID_ARGUMENT')) throw error
        context.addIssue({ code: 'custom', message: 'expected strictly descending numbers from 1 to 0', input: undefined })
      }
    })
    .nullish()
    .describe(`Strictly descending noise levels from 1 to 0, instead of ${STEPS[list]}: n of them are n - 1 steps.`)
}

function interval(): z.ZodType {
  return z
    .array(z.number().min(0).max(1))
    .length(2)
    .refine(([from, to]) => from! <= to!, { params: { expected: 'two rising numbers from 0 to 1' } })
    .nullish()
    .describe("The noise levels in which the prior's guidance works; [0, 1] where it is left out.")
}

/** Fields of a call of which only one of each two may have a value: a list of levels already says how many steps there are. */
export function levelsAndSteps(call: Call): [levels: string, steps: string][] {
  return listsOf(call).flatMap(list =>
    list in STEPS ? [[fieldName(list), STEPS[list as keyof typeof STEPS]] as [string, string]] : []
  )
}

/** What a body says of a call's noise levels, by the library's names. */
export function levelsOf(call: Call, body: object): Levels {
  const given = body as Readonly<Partial<Record<string, number[] | null>>>
  return Object.fromEntries(
    listsOf(call).flatMap(list => {
      const levels = given[fieldName(list)]
      return levels === undefined || levels === null ? [] : [[list, levels]]
    })
  )
}
