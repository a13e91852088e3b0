import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { NO_TIME } from '../../support/fake-native.js'
import { fakeImage, until, type FakeBackend, type FakeRun } from '../fake-backend.js'

/** What tests of the page do with work: they settle it themselves, so nothing depends on time. */

export const png = await sharp({ create: { width: 128, height: 128, channels: 3, background: '#c33' } })
  .png()
  .toBuffer()

/** The run that the backend got as the `count`-th. */
export async function nextRun(backend: FakeBackend, count: number): Promise<FakeRun> {
  await until(() => backend.runs.length === count)
  return backend.runs[count - 1]!
}

/** Finishes a run, with pictures that a browser can decode. */
export function finish({ work, finish }: FakeRun, total = 1234): void {
  const images = Array.from({ length: work.images }, (_, index) => ({ ...fakeImage(work, index), file: png }))
  finish({ kind: 'images', images, timings: { ...NO_TIME, total }, cut: [] })
}

/** Fills in the form and asks by keys. */
export async function ask(page: Page, prompt: string, count = 1): Promise<void> {
  // On a phone the settings are folded away.
  const summary = page.locator('#settings > summary')
  if ((await summary.isVisible()) && !(await page.locator('#count').isVisible())) await summary.click()
  await page.locator('#prompt').fill(prompt)
  await page.locator('#count').fill(String(count))
  await page.keyboard.press('Control+Enter')
}
