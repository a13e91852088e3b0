import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { promptsOf, withoutTwice } from '../../lib/cli/prompts.js'

const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-prompts-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function fileOf(content: string | Uint8Array): string {
  const file = join(folder, 'prompts.txt')
  writeFileSync(file, content)
  return file
}

describe('a file of prompts', () => {
  test.each<[string, string, object]>([
    ['has one a line', 'a cat\na dog\n', { prompt: ['a cat', 'a dog'] }],
    ['may come from Windows', '\ufeffa cat\r\n\r\n  a dog  \r\n', { prompt: ['a cat', 'a dog'] }],
    ['may have no end of line, and any text', '# a cat\n-1', { prompt: ['# a cat', '-1'] }],
    [
      'may have JSON lines',
      '{"prompt": "a {cat}", "negativePrompt": "dogs"}\n\n{"prompt": "a\\ndog"}\n',
      { prompt: ['a {cat}', 'a\ndog'], negativePrompt: ['dogs', ''] }
    ],
    ['with seeds', '{"prompt": "a", "seed": 3}\n{"prompt": "b", "seed": 9}', { prompt: ['a', 'b'], seeds: [3, 9] }]
  ])('%s', async (_, content, expected) => expect(await promptsOf([], fileOf(content))).toEqual(expected))

  test('comes behind the arguments', async () => {
    expect(await promptsOf(['first'], fileOf('second'))).toEqual({ prompt: ['first', 'second'] })
    expect(await promptsOf([], undefined)).toBeUndefined()
  })

  test('draws the seeds that some lines do not give', async () => {
    const prompts = await promptsOf([], fileOf('{"prompt": "a", "seed": 3}\n{"prompt": "b"}\n{"prompt": "c", "seed": -1}'))
    expect(prompts?.seeds).toEqual([3, expect.any(Number), expect.any(Number)])
    expect(prompts!.seeds!.every(seed => seed >= 0)).toBe(true)
  })

  test.each<[string, string | Uint8Array, RegExp]>([
    ['is empty', '\n \n', /at least one prompt for --prompts .* but it has none/],
    ['is no UTF-8', Uint8Array.of(0xff, 0xfe, 0x61), /text in UTF-8/],
    ['is JSON at first', '{"prompt": "a"}\nb', /a JSON object, as in the first line .* for line 2 of/],
    ['has another key', '{"prompt": "a", "steps": 3}', /only prompt, negativePrompt, seed for line 1 .*"steps"/],
    ['has no prompt', '{"seed": 3}', /a string for prompt in line 1/],
    ['is nested', `{"prompt": ${'['.repeat(100)}`, /nested deeper/]
  ])('is refused if it %s', async (_, content, message) => {
    await expect(promptsOf([], fileOf(content))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message)
    })
  })

  test('is refused if it is not there, and stdin twice', async () => {
    await expect(promptsOf([], join(folder, 'none'))).rejects.toMatchObject({ message: expect.stringMatching(/ENOENT/) })
    await expect(promptsOf(['-', '-'], undefined)).rejects.toMatchObject({ subject: '--prompts' })
    await expect(promptsOf(['-'], '-')).rejects.toMatchObject({ subject: '--prompts' })
  })
})

test('a seed of a line is that of its first image, and a flag does not say it again', () => {
  const prompts = { prompt: ['a', 'b'], negativePrompt: ['', 'x'], seeds: [3, 9] }
  expect(withoutTwice(prompts, {}, 2).seeds).toEqual([3, 4, 9, 10])
  expect(() => withoutTwice(prompts, { seed: 1 }, 1)).toThrow(/--seed/)
  expect(() => withoutTwice(prompts, { negativePrompt: 'y' }, 1)).toThrow(/--negative-prompt/)
})
