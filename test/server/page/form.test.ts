import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { withParameters } from '../../../lib/image/metadata.js'
import type { GenerationParameters } from '../../../lib/image/parameters.js'
import { withPngText } from '../../../lib/image/png-text.js'
import { fakeImage, tinyModel, withFakeServer, withoutPresets } from '../fake-backend.js'
import { ask, finish, nextRun, png } from './fake-runs.js'
import { drop, eventually, isReady, nameless, newestRun, withPage } from './with-page.js'

const valuesOf = (page: Page) =>
  page.evaluate<Record<string, string>>(
    `Object.fromEntries([...document.querySelectorAll('#composer :is(input, select, textarea)[id]')].map(each => [each.id, each.value]))`
  )

/** The forms that the browser keeps. Typing is kept once it pauses, which takes a busy machine as long as it likes. */
const savedForms = (page: Page) =>
  page.evaluate<object[]>(
    `new Promise((resolve, reject) => {
      const opening = indexedDB.open('wuerstchen-form')
      opening.onerror = () => reject(opening.error)
      opening.onsuccess = () => {
        const all = opening.result.transaction('drafts').objectStore('drafts').getAll()
        all.onerror = () => reject(all.error)
        all.onsuccess = () => { opening.result.close(); resolve(all.result) }
      }
    })`
  )

describe('the form', () => {
  test('is as it was left when the page is loaded anew, or opened again', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async (page, origin) => {
        await isReady(page)
        await drop(page, png, 'mine.png')
        await page.locator('#source').waitFor()
        await page.getByLabel('Edit', { exact: true }).check()
        await page.locator('#strength').fill('0.35')
        await page.locator('#prompt').fill('one\ntwo')
        await page.locator('#lines').check()
        await page.locator('#negative').fill('rain')
        await page.getByRole('button', { name: 'Portrait' }).click()
        await page.locator('#count').fill('3')
        await page.locator('#seed').fill('77')
        await page.getByText('Steps, guidance and samplers').click()
        await page.locator('#prior-steps').fill('9')
        await page.locator('#decoder-guidance').fill('1.5')
        await page.getByLabel('Speed').selectOption('Faster')
        await page.locator('#decoder-sampler').selectOption('ddim')
        const before = await valuesOf(page)
        expect(before).toMatchObject({ prompt: 'one\ntwo', negative: 'rain', strength: '0.35', seed: '77', 'prior-steps': '9' })
        expect(before).toMatchObject({ preset: 'balanced', 'prior-sampler': '', 'decoder-sampler': 'ddim' })
        await eventually(() => savedForms(page)).toMatchObject([{ ask: { prompt: 'one\ntwo', decoderSampler: 'ddim' } }])
        await page.reload()
        await isReady(page)
        await eventually(() => valuesOf(page)).toEqual(before)
        await eventually(() => page.locator('#lines').isChecked()).toBe(true)
        const again = await page.context().newPage()
        await again.goto(`${origin}/`)
        await isReady(again)
        await eventually(() => valuesOf(again)).toEqual(before)
        await again.keyboard.press('Control+Enter')
        await nextRun(backend, 2)
        expect(backend.runs.map(({ work }) => work)).toMatchObject(
          ['one', 'two'].map(prompt => ({
            kind: 'edit',
            images: 3,
            options: { prompt, strength: 0.35, seed: 77, preset: 'balanced', priorSteps: 9, decoderSampler: 'ddim' }
          }))
        )
        // Clearing the history forgets this too.
        await again.getByRole('button', { name: 'Clear history' }).click()
        await again.getByRole('button', { name: 'Clear', exact: true }).click()
        await again.getByRole('heading', { name: 'Nothing drawn yet' }).waitFor()
        await eventually(() => savedForms(again)).toEqual([])
        await again.close()
        await page.reload()
        await isReady(page)
        await eventually(() => page.locator('#prompt').inputValue()).toBe('')
      })
    ))

  test('shows what a preset stands for, and no choice where the model has none', () =>
    withoutPresets(old =>
      withFakeServer({ models: { tiny: tinyModel, old } }, app =>
        withPage(app, async page => {
          await isReady(page)
          await page.getByText('Steps, guidance and samplers').click()
          const shown = async () => ({
            steps: [
              await page.locator('#prior-steps').getAttribute('placeholder'),
              await page.locator('#decoder-steps').getAttribute('placeholder')
            ],
            sampler: await page.locator('#prior-sampler option').first().textContent()
          })
          await eventually(shown).toEqual({ steps: ['29', '12'], sampler: 'model’s own: ddpm' })
          await page.getByLabel('Speed').selectOption('Fastest')
          await eventually(shown).toEqual({ steps: ['8', '4'], sampler: 'model’s own: dpm-solver++' })
          await page.locator('#model').selectOption('old')
          await page.locator('#preset-row').waitFor({ state: 'hidden' })
          await eventually(shown).toMatchObject({ sampler: 'model’s own: ddpm' })
        })
      )
    ))

  test('chooses sizes by shape, and swaps them', () =>
    withFakeServer({ limits: { maxSide: 512 } }, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        const sides = () => page.locator('#width option:checked, #height option:checked').allTextContents()
        const pressed = () => page.locator('#shapes [aria-pressed=true]').allTextContents()
        expect([await sides(), await pressed()]).toEqual([['256', '256'], ['Square']])
        await page.getByRole('button', { name: 'Portrait' }).click()
        const [width, height] = (await sides()).map(Number) as [number, number]
        expect(width).toBeLessThan(height)
        await eventually(() => pressed()).toEqual(['Portrait'])
        await page.getByRole('button', { name: 'Swap width and height' }).click()
        expect([await sides(), await pressed()]).toEqual([[String(height), String(width)], ['Landscape']])
        await ask(page, 'a red heart')
        const { work } = await nextRun(backend, 1)
        expect(work).toMatchObject({ options: { width: height, height: width } })
        await page.getByRole('button', { name: 'Square' }).click()
        await eventually(() => sides()).toEqual(['256', '256'])
      })
    ))

  test('says how many prompts are too many', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await page.locator('#prompt').fill(Array.from({ length: 101 }, (_, index) => `prompt ${index}`).join('\n'))
        await page.locator('#lines').check()
        await page.keyboard.press('Control+Enter')
        await eventually(() => page.locator('#problem').textContent()).toBe(
          'Expected at most 100 prompts at once but received 101.'
        )
        // Without the tick it is one prompt of many lines.
        await page.locator('#lines').uncheck()
        await page.keyboard.press('Control+Enter')
        expect((await nextRun(backend, 1)).work).toMatchObject({
          options: { prompt: expect.stringMatching(/^prompt 0\nprompt 1\n/) }
        })
      })
    ))
})

const made: GenerationParameters = {
  ...(fakeImage({ kind: 'generate' } as never, 0).parameters as GenerationParameters),
  prompt: 'ein Herz, „rot“ ❤ <b>',
  negativePrompt: 'rain',
  width: 256,
  height: 128,
  seed: 4242,
  priorTimesteps: [1, 0.5, 0.25, 0],
  priorGuidanceScale: 3.5,
  decoderTimesteps: [1, 0.5, 0],
  decoderGuidanceScale: 1.25,
  priorSampler: 'dpm-solver++',
  decoderSampler: 'of another version' as 'ddim'
}

describe('a dropped picture', () => {
  test('gives its settings back', () =>
    withFakeServer({}, app =>
      withPage(app, async page => {
        await isReady(page)
        await drop(page, withParameters(png, 'png', { parameters: made, width: made.width, height: made.height }), 'mine.png')
        await page.getByRole('button', { name: 'Use its settings' }).click()
        await eventually(() => valuesOf(page)).toMatchObject({
          prompt: made.prompt,
          negative: 'rain',
          seed: '4242',
          'prior-steps': '3',
          'prior-guidance': '3.5',
          'decoder-steps': '2',
          'decoder-guidance': '1.25',
          'prior-sampler': 'dpm-solver++',
          'decoder-sampler': '',
          height: '128'
        })
        await eventually(() => page.locator('#width option:checked').textContent()).toBe('256')
        await eventually(() => page.locator('#source').isVisible()).toBe(false)
      })
    ))

  // ASCII, as the library writes it: other text would stand in a chunk of another kind.
  const plain = { ...made, prompt: 'a red heart' }
  const text = (json: string) => withPngText(png, { wuerstchen: json })
  const length = (value: number) => {
    const file = text(JSON.stringify(plain))
    file.writeUInt32BE(value, 33)
    return file
  }
  const hostile: [string, Buffer][] = [
    ['no JSON', text('{')],
    ['a list', text('[]')],
    ['null', text('null')],
    ['deep nesting', text('['.repeat(200_000))],
    ['a text in place of a number', text(JSON.stringify({ ...plain, seed: '1; alert(1)' }))],
    ['a seed that is no safe integer', text(JSON.stringify({ ...plain, seed: 2 ** 60 }))],
    ['a side below zero', text(JSON.stringify({ ...plain, width: -1 }))],
    ['more text than is read', text(JSON.stringify({ ...plain, prompt: 'x'.repeat(300_000) }))],
    ['a chunk that is longer than the file', length(0x7fffffff)],
    ['a chunk of no length', length(0)],
    ['a cut-off file', text(JSON.stringify(plain)).subarray(0, 40)],
    ['no chunks at all', png.subarray(0, 8)]
  ]
  test('whose file is hostile offers no settings, and does no harm', () =>
    withFakeServer({}, app =>
      withPage(app, async page => {
        await isReady(page)
        for (const [name, file] of hostile) {
          await drop(page, file, `${name}.png`)
          await eventually(() => page.locator('#source-name').textContent()).toBe(`${name}.png`)
          expect(await page.getByRole('button', { name: 'Use its settings' }).isVisible(), name).toBe(false)
        }
        // The sound one is still read.
        await drop(page, text(JSON.stringify(plain)), 'sound.png')
        await page.getByRole('button', { name: 'Use its settings' }).waitFor()
      })
    ))

  test('is refused where it is none', () =>
    withFakeServer({}, app =>
      withPage(app, async page => {
        await isReady(page)
        await page.locator('#file').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') })
        await page.getByText('Expected a PNG, JPEG, WebP or AVIF picture but received notes.txt.').waitFor()
      })
    ))
})

describe('help', () => {
  test('explains the words, names the model and its licence, and leads to the API', () =>
    withFakeServer({}, app =>
      withPage(app, async (page, origin) => {
        await isReady(page)
        await page.getByRole('button', { name: 'Help' }).click()
        const help = page.getByRole('dialog', { name: 'How this works' })
        await eventually(() => help.locator('#model-facts').textContent()).toMatch(/^NametinyLicenceApache-2.0/)
        expect(await nameless(page)).toEqual([])
        const link = await help.getByRole('link').getAttribute('href')
        expect((await (await page.request.get(new URL(link!, `${origin}/`).href)).json()).openapi).toMatch(/^3\.1\./)
        await page.keyboard.press('Escape')
        await help.waitFor({ state: 'hidden' })
      })
    ))
})

describe('a run', () => {
  test('tells how long it will take, by those before it', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await ask(page, 'first')
        const first = await nextRun(backend, 1)
        await newestRun(page, 'running')
        await eventually(() => page.locator('#queue-text').textContent()).toBe('1 running')
        finish(first, 40_000)
        await newestRun(page, 'succeeded')
        await ask(page, 'second')
        await eventually(() => page.locator('#queue-text').textContent()).toBe('1 running · about 40 s left')
        // Half of the pictures, the same time a picture.
        await ask(page, 'third', 2)
        await eventually(() => page.locator('.run-facts').first().textContent()).toBe(
          '2 pictures · Next in line · about 1 min of work'
        )
        await eventually(() => page.locator('#queue-text').textContent()).toBe('1 running, 1 waiting · about 2 min left')
      })
    ))
})
