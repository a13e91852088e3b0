import { describe, expect, test } from 'vitest'
import { OutputNames } from '../../lib/cli/output-names.js'

const names = (output: string | undefined, images: { seed?: number; prompt?: string }[]) =>
  new OutputNames(output, undefined, images.length).of(images)
const seeds = (...list: number[]) => list.map(seed => ({ seed, prompt: 'a cat' }))

describe('file names', () => {
  test.each<[string, string | undefined, { seed?: number; prompt?: string }[], (string | undefined)[]]>([
    ['a name is that of one image', 'a/cat.png', seeds(1), ['a/cat.png']],
    ['of several, it gets numbers', 'a/cat.png', seeds(1, 2), ['a/cat-1.png', 'a/cat-2.png']],
    ['without a name, the seed is it', undefined, seeds(7, 8), ['wuerstchen-7.png', 'wuerstchen-8.png']],
    [
      'of equal names, the later get numbers',
      undefined,
      seeds(7, 7, 7),
      ['wuerstchen-7.png', 'wuerstchen-7-2.png', 'wuerstchen-7-3.png']
    ],
    [
      'a number that is taken is left out',
      '{prompt}.png',
      [{ prompt: 'x' }, { prompt: 'x-2' }, { prompt: 'x' }],
      ['x.png', 'x-2.png', 'x-3.png']
    ],
    ['placeholders', 'd/{index}-{seed}-{prompt}.webp', seeds(7, 8), ['d/1-7-a-cat.webp', 'd/2-8-a-cat.webp']],
    ['braces', '{{seed}}{seed}.png', seeds(7), ['{seed}7.png']],
    ['an unmatched brace and a percent sign', 'a}{100%.png', seeds(7), ['a}{100%.png']],
    ['what is not known yet', '{seed}.png', [{ prompt: 'x' }], [undefined]],
    ['a prompt that is a path', '{prompt}.png', [{ prompt: '../../etc/passwd' }], ['etc-passwd.png']],
    ['a prompt that a shell would run', '{prompt}.png', [{ prompt: '-rf $(ls) `x` "y" \n\0 z*' }], ['rf-ls-x-y-z.png']],
    ['a prompt of other letters', '{prompt}.png', [{ prompt: 'Ein Würstchen, 香腸' }], ['Ein-Würstchen,-香腸.png']],
    ['a prompt without any', '{prompt}.png', [{ prompt: ' .. ' }, { prompt: '\ud800' }], ['image.png', 'image-2.png']]
  ])('%s', (_, output, images, expected) => expect(names(output, images)).toEqual(expected))

  test('a long prompt is cut between two characters, and the name fits', () => {
    const [name] = names('{prompt}.png', [{ prompt: '🐱'.repeat(500) }])
    expect(name).toBe(`${'🐱'.repeat(30)}.png`)
  })

  test('a hundred images of one prompt have a hundred names', () => {
    const images = Array.from({ length: 100 }, (_, index) => ({ seed: index % 3, prompt: 'x' }))
    expect(new Set(names('{prompt}-{seed}.png', images)).size).toBe(100)
  })
})

test.each([
  ['x-%d.png', /a name without %d .*Write \{index\}/],
  ['x-%04d.png', /a name without %04d/],
  ['{n}.png', /one of \{index\}, \{seed\}, \{prompt\} where it has \{n\}/],
  ['{}.png', /where it has \{\}/],
  ['{seed}/x.png', /none in its folder/]
])('%s is refused', (output, message) => {
  expect(() => new OutputNames(output, undefined, 2)).toThrow(message)
})
