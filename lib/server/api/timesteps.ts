import { z } from 'zod'
import { WuerstchenError } from '../../errors.js'
import { expectTimesteps } from '../../internal.js'
import { OTHERS, type Call } from '../../options/sampling.js'
import type { Limits } from '../limits.js'

type Stage = 'prior' | 'decoder'
const STAGES = ['prior', 'decoder'] as const
const MOST_STEPS = { prior: 'maxPriorSteps', decoder: 'maxDecoderSteps' } as const satisfies Record<Stage, keyof Limits>

/** The stages whose noise levels a call takes. */
function stagesOf(call: Call): Stage[] {
  const names: readonly string[] = OTHERS[call]
  return STAGES.filter(stage => names.includes(`${stage}Timesteps`))
}

const fieldOf = (stage: Stage) => `${stage}_timesteps` as const

/** Typed as no fields at all, as the other sampling parameters are: `timestepsOf` reads them. */
export function timestepFields(call: Call, limits: Limits): object {
  return Object.fromEntries(stagesOf(call).map(stage => [fieldOf(stage), timesteps(stage, limits)]))
}

function timesteps(stage: Stage, limits: Limits): z.ZodType {
  return z
    .array(z.number().min(0).max(1))
    .min(2)
    .max(limits[MOST_STEPS[stage]] + 1)
    .superRefine((value, context) => {
      try {
        expectTimesteps(fieldOf(stage), value)
      } catch (error) {
        if (!WuerstchenError.is(error, 'INVALID_ARGUMENT')) throw error
        context.addIssue({ code: 'custom', message: 'expected strictly descending numbers from 1 to 0', input: undefined })
      }
    })
    .nullish()
    .describe(`Strictly descending noise levels from 1 to 0, instead of ${stage}_steps: n of them are n - 1 steps.`)
}

/** Fields of a call of which only one of each two may have a value: a list of levels already says how many steps there are. */
export function levelsAndSteps(call: Call): [levels: string, steps: string][] {
  return stagesOf(call).map(stage => [fieldOf(stage), `${stage}_steps`])
}

/** What a body says of a call's noise levels, by the library's names. */
export function timestepsOf(call: Call, body: object): { [Key in `${Stage}Timesteps`]?: number[] } {
  const given = body as Readonly<Partial<Record<string, number[] | null>>>
  return Object.fromEntries(
    stagesOf(call).flatMap(stage => {
      const levels = given[fieldOf(stage)]
      return levels === undefined || levels === null ? [] : [[`${stage}Timesteps`, levels]]
    })
  )
}
