import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readParameters } from '../../../lib/index.js'
import { createServer } from '../../../lib/server/index.js'
import { heartPicture, tinyModel } from '../fake-backend.js'
import { download, drop, eventually, isReady, newestRun, withPage } from './with-page.js'

/** The page on the packaged model, in a real browser. */

let server: FastifyInstance
beforeAll(async () => {
  server = await createServer({ models: { tiny: tinyModel }, pipeline: { threads: 1 } })
})
afterAll(async () => server?.close())

const parametersOf = async (path: string) => (await readParameters(await readFile(path))).parameters
const pixels = async (file: string | Buffer) => sharp(file).removeAlpha().raw().toBuffer()

async function fewSteps(page: Page): Promise<void> {
  await page.getByText('Steps, guidance and samplers').click()
  await page.locator('#prior-steps').fill('3')
  await page.locator('#decoder-steps').fill('2')
}

describe('on the packaged model', () => {
  test('draws by keyboard alone; the same seed gives the same picture, and the file tells how', { timeout: 120_000 }, () =>
    withPage(server, async page => {
      await isReady(page)
      // The page begins in the prompt.
      await page.keyboard.type('a red heart')
      for (const [presses, value] of [
        [8, '2'],
        [1, '41']
      ] as const) {
        for (let press = 0; press < presses; press++) await page.keyboard.press('Tab')
        await page.keyboard.press('Control+A')
        await page.keyboard.type(value)
      }
      // Past the preset.
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      for (const value of ['3', undefined, undefined, '2']) {
        await page.keyboard.press('Tab')
        if (value !== undefined) await page.keyboard.type(value)
      }
      await page.keyboard.press('Control+Enter')
      const first = await newestRun(page, 'succeeded')
      await eventually(() => first.locator('.seed').allTextContents()).toEqual(['seed 41', 'seed 42'])
      await eventually(() => first.locator('.run-facts').textContent()).toMatch(/^256 × 256 · 2 pictures · /)

      const original = await download(page, first.getByRole('link', { name: /^Save picture 2/ }))
      expect(original.name).toBe('a-red-heart-42.png')
      expect(await parametersOf(original.path)).toMatchObject({ prompt: 'a red heart', seed: 42, priorGuidanceScale: 4 })

      // Reuse fills the form and leaves the focus on the button that draws.
      await first.getByRole('button', { name: /^Reuse.*seed 42/ }).focus()
      await page.keyboard.press('Enter')
      await eventually(() => page.locator('#seed').inputValue()).toBe('42')
      await page.keyboard.press('Enter')
      await page.locator('#runs > .run').nth(1).waitFor()
      const again = await newestRun(page, 'succeeded')
      const copy = await download(page, again.getByRole('link', { name: /^Save/ }))
      const [was, is] = [await pixels(original.path), await pixels(copy.path)]
      // Alone and in a batch of two: kernels may differ by one in 255.
      expect(is.reduce((most, value, index) => Math.max(most, Math.abs(value - was[index]!)), 0)).toBeLessThanOrEqual(1)

      // A picture by itself, with what made it; Escape closes that and cancels nothing.
      await again.getByRole('button', { name: /^Open/ }).click()
      const viewer = page.getByRole('dialog', { name: 'a red heart' })
      await eventually(() => viewer.locator('dl').textContent()).toMatch(
        /Seed42Size256 × 256Composition3 steps of ddpm, guidance 4Detail2 steps of ddpm, guidance 0/
      )
      await page.keyboard.press('Escape')
      await viewer.waitFor({ state: 'hidden' })

      // What was drawn is there when the page is loaded anew.
      await page.reload()
      await page.locator('#runs > .run').nth(1).waitFor()
      await eventually(() => page.locator('.frame img').count()).toBe(3)
    })
  )

  test('varies a dropped picture', { timeout: 120_000 }, () =>
    withPage(server, async page => {
      await isReady(page)
      await drop(page, await heartPicture(), 'mine.png')
      await eventually(() => page.locator('#source-name').textContent()).toBe('mine.png')
      await fewSteps(page)
      await page.locator('#strength').fill('0.3')
      await page.getByRole('button', { name: 'Vary' }).click()
      const run = await newestRun(page, 'succeeded')
      const { path } = await download(page, run.getByRole('link', { name: /^Save/ }))
      expect((await parametersOf(path))?.input).toMatchObject({ operation: 'vary', strength: 0.3 })
    })
  )

  test('edits only what a mask covers', { timeout: 120_000 }, () =>
    withPage(server, async page => {
      await isReady(page)
      const source = await heartPicture()
      await drop(page, source, 'mine.png')
      await page.locator('#source').waitFor()
      await page.getByLabel('Edit', { exact: true }).check()
      await page.getByRole('button', { name: 'Draw a mask' }).click()
      const canvas = page.locator('#mask-canvas')
      await canvas.waitFor() // the dialog opens once the picture is read
      const { x, y, width, height } = (await canvas.boundingBox())!
      await page.mouse.move(x + width * 0.2, y + height * 0.2)
      await page.mouse.down()
      await page.mouse.move(x + width * 0.8, y + height * 0.2, { steps: 5 })
      await page.mouse.up()
      // A second stroke by keys, taken back again.
      await canvas.focus()
      for (let press = 0; press < 30; press++) await page.keyboard.press('ArrowDown')
      await page.keyboard.press(' ')
      await page.keyboard.press('z')
      await page.getByRole('button', { name: 'Use this mask' }).click()
      await eventually(() => page.locator('#strength').inputValue()).toBe('1')
      await page.locator('#prompt').fill('a blue sky')
      await fewSteps(page)
      await page.keyboard.press('Control+Enter')
      const run = await newestRun(page, 'succeeded')
      const { path } = await download(page, run.getByRole('link', { name: /^Save/ }))
      expect((await parametersOf(path))?.input).toMatchObject({ operation: 'edit', strength: 1 })
      const [was, is] = [await pixels(source), await pixels(await readFile(path))]
      const change = (row: number) =>
        Math.max(...Array.from({ length: 128 * 3 }, (_, at) => Math.abs(is[row * 384 + at]! - was[row * 384 + at]!)))
      expect(change(26)).toBeGreaterThan(16)
      // Far from the mask every pixel is the picture's own; that is where the stroke was that was taken back.
      expect(change(110)).toBe(0)
    })
  )
})
