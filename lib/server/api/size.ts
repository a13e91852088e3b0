import { z } from 'zod'
import type { ModelFacts } from '../models/model.js'
import { invalidField, type ApiError } from './error.js'
import { describeReceived } from './expectation.js'

const SIZE = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/

/** Width and height of a size whose sides are among those that can be made. */
export function sidesToSize(size: string, sides: readonly number[]): { width: number; height: number } | undefined {
  const [width, height] = (SIZE.exec(size) ?? []).slice(1).map(Number)
  if (width === undefined || height === undefined) return undefined
  return sides.includes(width) && sides.includes(height) ? { width, height } : undefined
}

const SIZE_TEXT = "WIDTHxHEIGHT in pixels, or auto: the model's own size, or what is nearest to the image sent."

/** A field for a size of a model that is not known yet. */
export function anySizeField() {
  return z
    .string()
    .regex(/^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/)
    .nullish()
    .describe(SIZE_TEXT)
}

/** A field for a size with these sides. */
export function sizeField(sides: readonly number[]) {
  const side = `(${sides.join('|')})`
  return z
    .string()
    .superRefine((size, context) => {
      if (size !== 'auto' && sidesToSize(size, sides) === undefined)
        context.addIssue({ code: 'custom', message: sizeMessage(size, sides), input: undefined })
    })
    .meta({ pattern: `^(auto|${side}x${side})$` })
    .nullish()
    .describe(SIZE_TEXT)
}

export function sizeError(size: string, { name, sides }: ModelFacts): ApiError {
  return invalidField('size', 'invalid_value', `${sizeMessage(size, sides)}. It is the model ${name} that makes no others`)
}

function sizeMessage(size: string, sides: readonly number[]): string {
  const expected = `Expected auto, or WIDTHxHEIGHT with sides of ${sides.join(', ')},`
  const asked = (SIZE.exec(size) ?? []).slice(1).map(Number)
  if (asked.length === 0) return `${expected} for size but received ${describeReceived(size)}`
  const [widths, heights] = asked.map(side => nearest(side, sides)) as [number[], number[]]
  const sizes = widths.flatMap(width => heights.map(height => `${width}x${height}`))
  return `${expected} for size but received ${size}. The nearest: ${sizes.join(', ')}`
}

/** The side itself where it can be made, else those on both sides of it. */
function nearest(side: number, sides: readonly number[]): number[] {
  if (sides.includes(side)) return [side]
  return [sides.filter(each => each < side).at(-1), sides.find(each => each > side)].filter(each => each !== undefined)
}
