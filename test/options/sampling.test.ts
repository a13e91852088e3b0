import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, type Option } from 'commander'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { withSamplingFlags } from '../../lib/cli/flags.js'
import { LOAD_OPTIONS } from '../../lib/engine/load-options.js'
import type { GenerationParameters } from '../../lib/image/parameters.js'
import type { PARAMETERS } from '../../lib/image/parameters-schema.js'
import type {
  DecodeOptions,
  EditOptions,
  EncodeImageOptions,
  GenerateOptions,
  PriorOptions,
  ReconstructOptions,
  VaryOptions
} from '../../lib/index.js'
import type { Call, ScalarName, Scalars } from '../../lib/options/sampling.js'
import { expectScalars, optionsOf, rowOf, SCALAR_NAMES, scalarsIn, textFor } from '../../lib/options/scalars.js'
import type { z } from 'zod'
import { root } from '../support/small-model.js'

/** The scalars that a public type of options has, as it has them. */
type ScalarsOf<Options> = Pick<Options, Extract<keyof Options, ScalarName>>

test('the public types have exactly the scalars of the table, with the same values', () => {
  expectTypeOf<ScalarsOf<GenerateOptions>>().toEqualTypeOf<Scalars<'generate'>>()
  expectTypeOf<ScalarsOf<PriorOptions>>().toEqualTypeOf<Scalars<'prior'>>()
  expectTypeOf<ScalarsOf<DecodeOptions>>().toEqualTypeOf<Scalars<'decode'>>()
  expectTypeOf<ScalarsOf<EncodeImageOptions>>().toEqualTypeOf<Scalars<'encodeImage'>>()
  expectTypeOf<ScalarsOf<EncodeImageOptions>>().toEqualTypeOf<Scalars<'encodeLatents'>>()
  expectTypeOf<ScalarsOf<ReconstructOptions>>().toEqualTypeOf<Scalars<'reconstruct'>>()
  expectTypeOf<ScalarsOf<VaryOptions>>().toEqualTypeOf<Scalars<'vary'>>()
  expectTypeOf<ScalarsOf<EditOptions>>().toEqualTypeOf<Scalars<'edit'>>()
})

test("the type of recorded parameters is that of the files' schema", () => {
  expectTypeOf<z.infer<typeof PARAMETERS>>().toEqualTypeOf<GenerationParameters>()
})

describe('every scalar', () => {
  const values: Record<string, [good: unknown, bad: unknown][]> = Object.fromEntries(
    SCALAR_NAMES.map(name => {
      const { check } = rowOf(name)
      if (check.kind === 'choice') return [name, check.values.map(value => [value, `${value}!`])]
      const pairs: [unknown, unknown][] = [
        [check.least, check.least - 1],
        [check.most, check.kind === 'number' ? check.most * 1.0001 : check.most + 1.5]
      ]
      return [name, check.kind === 'integer' ? [...pairs, [check.least, check.least + 0.5]] : [...pairs, [0.5, NaN]]]
    })
  )

  test.each(SCALAR_NAMES)('%s is taken within its bounds and refused beyond them, by its name', name => {
    for (const call of rowOf(name).calls) {
      for (const [good, bad] of values[name]!) {
        expect(expectScalars(call, { [name]: good })).toEqual({ [name]: good })
        for (const value of [bad, null, String(good) + ' ', [good]]) {
          expect(() => expectScalars(call, { [name]: value })).toThrow(
            expect.objectContaining({ code: 'INVALID_ARGUMENT', subject: name }) as Error
          )
        }
      }
    }
  })
})

const CALLS = ['generate', 'prior', 'decode', 'encodeImage', 'encodeLatents', 'reconstruct', 'vary', 'edit'] as const

test('no name stands twice among the options of a call', () => {
  for (const call of CALLS) expect(new Set(optionsOf(call)).size).toBe(optionsOf(call).length)
})

/** Every page on which a call's options are described. */
const PAGES: Record<Call, string> = {
  generate: 'generate.md',
  prior: 'generate.md',
  decode: 'generate.md',
  encodeImage: 'modify.md',
  encodeLatents: 'modify.md',
  reconstruct: 'modify.md',
  vary: 'modify.md',
  edit: 'modify.md'
}

describe('the documentation', () => {
  const read = (page: string) => readFileSync(join(root, 'docs', page), 'utf8')

  test.each(CALLS)('describes every option of %s', call => {
    const text = read(PAGES[call])
    expect(optionsOf(call).filter(name => !new RegExp(`\`[^\`]*\\b${name}\\b[^\`]*\``).test(text))).toEqual([])
  })

  test('has a row for every option of Pipeline.load, and no other', () => {
    const section = read('generate.md')
      .split(/^## /m)
      .find(text => text.startsWith('Loading'))!
    const rows = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
      [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name)
    )
    expect(rows).toEqual(LOAD_OPTIONS)
  })

  test('describes every field of requests', () => {
    const text = read('server.md')
    const fields = SCALAR_NAMES.filter(name => rowOf(name).field !== null).map(name =>
      name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
    )
    expect(fields.filter(name => !text.includes(`\`${name}\``))).toEqual([])
  })
})

describe('the flags', () => {
  const flagsOf = (call: Call) => withSamplingFlags(new Command(), call).options

  test.each(['generate', 'decode', 'encodeImage', 'reconstruct', 'vary', 'edit'] as const)(
    'of %s read what the call takes',
    async call => {
      for (const name of scalarsIn(call).filter(each => textFor(rowOf(each).flag?.text, call) !== undefined)) {
        const { check } = rowOf(name)
        const value = check.kind === 'choice' ? check.values[0]! : String(check.most)
        const command = withSamplingFlags(new Command().exitOverride(), call).action(() => {})
        const flag = flagsOf(call).find((option: Option) => option.attributeName() === name)!
        await command.parseAsync([(flag.long ?? flag.short)!, value], { from: 'user' })
        expect(command.opts()).toEqual({ [name]: check.kind === 'choice' ? value : check.most })
      }
    }
  )
})
