import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import type { WorkEvent } from '../../../lib/server/jobs/work.js'
import { tinyModel, until, withFakeServer } from '../fake-backend.js'
import { ask, finish, nextRun, png } from './fake-runs.js'
import { eventually, isReady, nameless, newestRun, withPage } from './with-page.js'

/** Every state of the page, one after the other: work is done by the test itself, so nothing depends on time. */

const scrollsSideways = (page: Page) =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth')

describe('a run', () => {
  test('shows previews and progress of each picture, then the pictures', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await ask(page, 'a red heart', 2)
        const run = await nextRun(backend, 1)
        expect(run.work).toMatchObject({ kind: 'generate', images: 2, previews: 3, options: { prompt: 'a red heart' } })
        const events: WorkEvent[] = [
          { type: 'step', image: 0, stage: 'prior', step: 12, steps: 20 },
          { type: 'step', image: 1, stage: 'decoder', step: 3, steps: 12 },
          { type: 'preview', image: 0, index: 0, file: png, format: 'png', width: 128, height: 128 }
        ]
        // The page may not be listening yet: a step and a preview are told once.
        await page.locator('[data-state=running]').waitFor()
        const tiles = page.locator('.tile')
        await eventually(async () => {
          for (const event of events) run.emit(event)
          return tiles.locator('.tile-status').allTextContents()
        }).toEqual(['Composing 12 of 20', 'Drawing 3 of 12'])
        await tiles.nth(0).getByRole('img', { name: 'Preview' }).waitFor()
        expect(Number(await tiles.nth(0).locator('progress').getAttribute('value'))).toBeCloseTo(12 / 30)
        expect(await nameless(page)).toEqual([])
        finish(run)
        const card = await newestRun(page, 'succeeded')
        await eventually(() => card.getByRole('link', { name: /^Save/ }).count()).toBe(2)
        await eventually(() => page.locator('#announcer').textContent()).toBe('Finished: a red heart, 2 pictures')
      })
    ))

  test('is cancelled by Escape and by its button, running or queued', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await ask(page, 'first')
        const running = await nextRun(backend, 1)
        await ask(page, 'second')
        await newestRun(page, 'queued')
        await page.keyboard.press('Escape')
        await newestRun(page, 'cancelled')
        expect(running.signal.aborted).toBe(false)
        await page.getByRole('button', { name: 'Cancel first' }).click()
        await page.locator('.run[data-state=cancelled]').nth(1).waitFor()
        await until(() => running.signal.aborted)
        expect(backend.runs).toHaveLength(1)
        // The focus stays with the run.
        await eventually(() => page.evaluate('document.activeElement.textContent')).toBe('Run again')
      })
    ))

  test('goes on when the page is loaded anew', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await ask(page, 'a red heart')
        const run = await nextRun(backend, 1)
        await newestRun(page, 'running')
        await page.reload()
        await newestRun(page, 'running')
        finish(run)
        const card = await newestRun(page, 'succeeded')
        await card.getByRole('button', { name: /^Open picture 1/ }).waitFor()
        await eventually(() => card.locator('.run-facts').textContent()).toBe('128 × 128 · 1.2 s')
      })
    ))

  test('tells why it failed', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await ask(page, 'a red heart')
        ;(await nextRun(backend, 1)).fail(new Error('secret'))
        const card = await newestRun(page, 'failed')
        await eventually(() => card.locator('.problem').textContent()).toMatch(/^(?!.*secret).+\.$/)
        await card.getByRole('button', { name: /^Run again/ }).click()
        finish(await nextRun(backend, 2))
        await newestRun(page, 'succeeded')
        await page.getByRole('button', { name: 'Clear history' }).click()
        await page.getByRole('button', { name: 'Keep' }).click()
        await eventually(() => page.locator('.run').count()).toBe(2)
        await page.getByRole('button', { name: 'Clear history' }).click()
        await page.getByRole('button', { name: 'Clear', exact: true }).click()
        await page.getByRole('heading', { name: 'Nothing drawn yet' }).waitFor()
      })
    ))
})

describe('the form', () => {
  test("has the server's models, defaults and limits, and says what is wrong where", () =>
    withFakeServer({ models: { one: tinyModel, two: tinyModel }, limits: { maxImages: 3, maxSide: 256 } }, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await eventually(() => page.locator('#model option').allTextContents()).toEqual(['one', 'two'])
        await eventually(() => page.locator('#width option').allTextContents()).toEqual(['128', '256'])
        await eventually(() => page.locator('#prior-steps').getAttribute('placeholder')).toBe('29')
        await page.keyboard.press('Control+Enter')
        await eventually(() => page.locator('#problem').textContent()).toBe('Say what to draw.')
        await ask(page, 'a red heart', 4)
        await eventually(() => page.evaluate('document.activeElement.id')).toBe('count')
        await eventually(() => page.locator('#count').getAttribute('aria-invalid')).toBe('true')
        await page.locator('#model').selectOption('two')
        await eventually(() => page.locator('#width option:checked').textContent()).toBe('256') // the model's own
        await page.locator('#width').selectOption('128')
        await ask(page, 'a red heart', 3)
        const { model, work } = await nextRun(backend, 1)
        expect([model, work.images]).toEqual(['two', 3])
        expect(work).toMatchObject({ options: { width: 128, height: 256 } })
        // With a picture to start from both sides are that picture's; not only one of them can be.
        await page.getByRole('button', { name: 'From a picture' }).waitFor()
        await page.locator('#file').setInputFiles({ name: 'mine.png', mimeType: 'image/png', buffer: png })
        await page.locator('#source-name').getByText('mine.png').waitFor()
        const chosen = () => page.locator('#width option:checked, #height option:checked').allTextContents()
        await eventually(() => chosen()).toEqual(['As picture', 'As picture'])
        await page.locator('#height').selectOption('256')
        await eventually(() => chosen()).toEqual(['256', '256'])
        await page.getByRole('button', { name: 'Remove' }).click()
        await eventually(() => chosen()).toEqual(['256', '256'])
      })
    ))

  test('asks for the API key that the server wants, and keeps it out of addresses', () =>
    withFakeServer({ apiKeys: ['somebody:correct-horse-battery'] }, (app, backend) =>
      withPage(
        app,
        async page => {
          const urls: string[] = []
          page.on('request', request => urls.push(request.url()))
          const dialog = page.getByRole('dialog', { name: 'This server asks for an API key' })
          await dialog.waitFor()
          await page.keyboard.type('some-other-key-entirely')
          await page.keyboard.press('Enter')
          await dialog.getByText('The server did not accept this key.').waitFor()
          await page.locator('#key-value').fill('correct-horse-battery')
          await page.keyboard.press('Enter')
          await isReady(page)
          await ask(page, 'a red heart')
          finish(await nextRun(backend, 1))
          await newestRun(page, 'succeeded')
          expect(urls.filter(url => url.includes('battery'))).toEqual([])
          await eventually(() => page.evaluate('[localStorage.length, sessionStorage.length]')).toEqual([0, 1])
        },
        { expectedErrors: /401/ }
      )
    ))
})

describe('the look', () => {
  test('fits a phone, in the dark too', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          await eventually(() => scrollsSideways(page)).toBe(false)
          await ask(page, 'a prompt with averyveryveryveryveryveryveryveryveryveryverylongword in it', 3)
          finish(await nextRun(backend, 1))
          const card = await newestRun(page, 'succeeded')
          await eventually(() => scrollsSideways(page)).toBe(false)
          await card.getByRole('button', { name: /^Edit picture 1/ }).click()
          await page.getByRole('button', { name: 'Use this mask' }).waitFor()
          await eventually(() => scrollsSideways(page)).toBe(false)
          const [red, green, blue] = await page.evaluate<number[]>(
            'getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)'
          )
          expect(Math.max(red!, green!, blue!)).toBeLessThan(50)
        },
        { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }
      )
    ))

  test('is left out where it is not wanted', () =>
    withFakeServer({ page: false }, async (app: FastifyInstance) => {
      expect((await app.inject('/')).statusCode).toBe(404)
      expect((await app.inject('/page/main.js')).statusCode).toBe(404)
    }))

  test('is files of the package and nothing else', () =>
    withFakeServer({ apiKeys: ['somebody:correct-horse-battery'] }, async app => {
      const page = await app.inject('/')
      expect(page.headers['content-security-policy']).not.toContain('unsafe')
      expect(page.body).not.toMatch(/<script(?![^>]*src="page\/)|<style|\sstyle=|\son\w+=|https?:/)
      for (const path of [
        '/page/..%2f..%2findex.js',
        '/page/../../index.js',
        '/page/.build.json',
        '/page/runs',
        '/page/runs/',
        '/page/nothing.js',
        '/page/runs/..%2f..%2f..%2findex.js',
        '/page/../../../package.json'
      ])
        expect((await app.inject(path)).statusCode, path).toBe(404)
    }))
})
