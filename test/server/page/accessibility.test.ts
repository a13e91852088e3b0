import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { tinyModel, withFakeServer } from '../fake-backend.js'
import { ask, finish, nextRun, png } from './fake-runs.js'
import { isReady, newestRun, withPage } from './with-page.js'

/** What axe-core, an independent tool, finds wrong in each state of the page: its rules for WCAG, and its best practices. */

/** The rules that are broken, each with the elements that break it. */
async function violations(page: Page): Promise<string[]> {
  // Not as a script of the page, which its policy refuses.
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()')
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary}`)
  )
}

/** What has the focus, and what lies over its middle; undefined where nothing does. */
const COVERED = `(() => {
  const focused = document.activeElement
  const { left, top, width, height } = focused.getBoundingClientRect()
  const [x, y] = [left + width / 2, top + height / 2]
  const seen = document.elementFromPoint(x, y)
  const label = focused.closest('label')
  if (focused === document.body || focused.contains(seen) || seen?.contains(focused) && seen !== document.body || label?.contains(seen)) return undefined
  return (focused.id || focused.outerHTML.slice(0, 60)) + ' under ' + (seen?.id || seen?.className || seen?.tagName)
})()`

const LOOKS = [
  { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'light', viewport: { width: 360, height: 740 } },
  { colorScheme: 'dark', viewport: { width: 360, height: 740 } }
] as const

describe.each(LOOKS)('$colorScheme, $viewport.width pixels wide: axe finds nothing', look => {
  const options = { ...look, expectedErrors: /ERR_|40[01]|Failed to load/ }

  test('in the form, in its messages, and in what opens from it', () =>
    withFakeServer({ models: { one: tinyModel, two: tinyModel } }, app =>
      withPage(
        app,
        async page => {
          await isReady(page)
          expect(await violations(page), 'nothing drawn yet').toEqual([])
          await page.locator('#prompt').fill('one\ntwo')
          await page.keyboard.press('Control+Enter')
          if (!(await page.locator('#sampling').isVisible())) await page.locator('#settings > summary').click()
          await page.getByText('Steps, guidance and samplers').click()
          await page.locator('#count').fill('1000')
          await page.keyboard.press('Control+Enter')
          await page.locator('#problem').waitFor()
          expect(await violations(page), 'all settings, and a problem').toEqual([])
          await page.getByRole('button', { name: 'Help' }).click()
          expect(await violations(page), 'help').toEqual([])
          await page.keyboard.press('Escape')
          await page.locator('#file').setInputFiles({ name: 'mine.png', mimeType: 'image/png', buffer: png })
          await page.locator('#source-name').waitFor()
          for (const mode of ['vary', 'edit', 'mix']) {
            await page.locator(`input[name=mode][value=${mode}]`).check()
            expect(await violations(page), mode).toEqual([])
          }
        },
        options
      )
    ))

  test('in the form: what has the focus by Tab is covered by nothing', () =>
    withFakeServer({ models: { one: tinyModel, two: tinyModel } }, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          await ask(page, 'a red heart')
          await nextRun(backend, 1)
          await newestRun(page, 'running')
          if (!(await page.locator('#sampling').isVisible())) await page.locator('#settings > summary').click()
          await page.getByText('Steps, guidance and samplers').click()
          await page.locator('#prompt').focus()
          for (const key of ['Tab', 'Shift+Tab']) {
            for (let press = 0; press < 24; press++) {
              await page.keyboard.press(key)
              expect(await page.evaluate(COVERED), key).toBe(undefined)
            }
          }
        },
        options
      )
    ))

  test('in runs, from the first moment to the last, and in what opens from them', () =>
    withFakeServer({ limits: { maxRunningImages: 2 } }, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          await ask(page, 'a red heart', 2)
          const first = await nextRun(backend, 1)
          await newestRun(page, 'running')
          await page.locator('.tile').nth(1).waitFor()
          first.emit({ type: 'step', image: 0, stage: 'prior', step: 12, steps: 20 })
          first.emit({ type: 'preview', image: 0, index: 0, file: png, format: 'png', width: 128, height: 128 })
          await ask(page, 'a green apple')
          await newestRun(page, 'queued')
          expect(await violations(page), 'running and queued').toEqual([])
          await page.getByRole('button', { name: 'Cancel a green apple' }).click()
          await newestRun(page, 'cancelled')
          finish(first)
          await page.locator('.run[data-state=succeeded]').waitFor()
          await page.locator('button.frame img').nth(1).waitFor()
          await ask(page, 'a blue house')
          ;(await nextRun(backend, 2)).fail(new Error('secret'))
          await newestRun(page, 'failed')
          expect(await violations(page), 'succeeded, cancelled and failed').toEqual([])

          await page.locator('button.frame').first().click()
          expect(await violations(page), 'the viewer').toEqual([])
          await page.getByRole('button', { name: /^As curl/ }).click()
          expect(await violations(page), 'the command').toEqual([])
          await page.locator('#command-close').click()
          if (await page.locator('#viewer').isVisible()) await page.keyboard.press('Escape')
          await page.getByRole('button', { name: /^Edit picture 1/ }).click()
          expect(await violations(page), 'the mask').toEqual([])
          await page.getByRole('button', { name: 'Use this mask' }).click()
          await ask(page, 'an edit')
          finish(await nextRun(backend, 3))
          const edited = await newestRun(page, 'succeeded')
          await edited.locator('button.frame').click()
          expect(await violations(page), 'a comparison').toEqual([])
          await page.keyboard.press('Escape')
          await page.getByRole('button', { name: 'Clear history' }).click()
          expect(await violations(page), 'a question').toEqual([])
        },
        options
      )
    ))

  test('where the server cannot be reached', () =>
    withFakeServer({}, app =>
      withPage(
        app,
        async page => {
          await isReady(page)
          await page.context().setOffline(true)
          await ask(page, 'a red heart')
          await page.locator('#hold').waitFor()
          expect(await violations(page), 'held back').toEqual([])
          await page.context().setOffline(false)
          await page.context().route('**/v1/models', route => route.abort())
          await page.reload()
          await page.locator('#notice').waitFor()
          expect(await violations(page), 'opened without a server').toEqual([])
        },
        options
      )
    ))

  test('where an API key is asked for', () =>
    withFakeServer({ apiKeys: ['somebody:correct-horse-battery'] }, app =>
      withPage(
        app,
        async page => {
          await page.locator('#key-value').fill('some-other-key-entirely')
          await page.keyboard.press('Enter')
          await page.locator('#key-problem').waitFor()
          expect(await violations(page), 'the dialog').toEqual([])
          await page.getByRole('button', { name: 'Not now' }).click()
          await page.locator('#notice').waitFor()
          expect(await violations(page), 'without a key').toEqual([])
        },
        options
      )
    ))
})
