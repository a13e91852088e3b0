#!/usr/bin/env node
/**
 * Takes the documentation's pictures of the web page: `node scripts/pictures/page.mjs [FOLDER]`. It uses the packaged model,
 * dist/ as it is built, and the chromium of this machine.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startServer } from '../../dist/server/index.js'
import { launchChromium } from './chromium.mjs'
import { root } from '../setup/paths.mjs'

const out = process.argv[2] ?? join(root, 'docs', 'pictures')
const everything = process.argv[2] !== undefined

const DESKTOP = { width: 1280, height: 800 }
const PHONE = { width: 390, height: 844 }
/** @typedef {{ name: string, colorScheme: 'light' | 'dark', viewport: { width: number, height: number } }} Look */
/** @type {Look[]} */
const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: DESKTOP },
  { name: 'dark', colorScheme: 'dark', viewport: DESKTOP },
  { name: 'phone', colorScheme: 'light', viewport: PHONE },
  { name: 'phone-dark', colorScheme: 'dark', viewport: PHONE }
]

/** @type {Record<string, string[]>} */
const DOCUMENTED = { light: ['results', 'mask'], dark: ['running'], phone: ['results'] }

mkdirSync(out, { recursive: true })
const server = await startServer({}, { host: '127.0.0.1', port: 0 })
const address = `${server.listeningOrigin}/`
while (!(await fetch(`${address}readyz`)).ok) await new Promise(resolve => setTimeout(resolve, 100))
const browser = await launchChromium()
try {
  for (const look of LOOKS) await takePictures(look)
} finally {
  await browser.close()
  await server.close()
}

/**
 * The page of a look in each of its states; for the documentation only those that it shows.
 * @param {Look} look
 */
async function takePictures({ name, colorScheme, viewport }) {
  const phone = viewport === PHONE
  const page = await browser.newPage({ colorScheme, viewport, deviceScaleFactor: phone ? 2 : 1, hasTouch: phone })
  page.on('console', message => {
    if (message.type() === 'error') console.error(`${name}: ${message.text()}`)
  })
  /** @param {string} state */
  const take = async state => {
    if (everything || DOCUMENTED[name]?.includes(state))
      await page.screenshot({ path: join(out, `server-${state}${name === 'light' ? '' : `-${name}`}.png`) })
  }
  /** On a phone the settings are folded away. */
  const unfold = async () => {
    if (!(await page.locator('#count').isVisible())) await page.locator('#settings > summary').click()
  }
  /** @param {string} prompt @param {number} count @param {number} seed */
  const generate = async (prompt, count, seed) => {
    await unfold()
    await page.locator('#prompt').fill(prompt)
    await page.locator('#count').fill(String(count))
    await page.locator('#seed').fill(String(seed))
    await page.keyboard.press('Control+Enter')
    await page.locator('.run').first().and(page.locator('[data-state=succeeded]')).waitFor({ timeout: 300_000 })
  }
  await page.goto(address)
  await page.locator('#generate:enabled').waitFor()
  await take('empty')

  await page.locator('#generate').click()
  await take('problem')
  await generate('a cat on a blue background', 3, 1)
  await generate('a red heart', 4, 7)
  await page.evaluate('scrollTo(0, 0)')
  await take('results')
  if (phone) {
    await page
      .locator('.run')
      .first()
      .evaluate(run => run.scrollIntoView())
    await take('results-below')
  }

  await page.locator('.frame').first().click()
  await page.locator('#viewer img').evaluate(
    image =>
      image.complete ||
      new Promise(resolve => {
        image.onload = resolve
      })
  )
  await take('viewer')
  await page.keyboard.press('Escape')

  await page
    .getByRole('button', { name: /^Edit picture/ })
    .first()
    .click()
  const box = await page.locator('#mask-canvas').boundingBox()
  if (box === null) throw new Error('Expected the canvas of the mask to be visible')
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.35)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.35, { steps: 12 })
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.6, { steps: 12 })
  await page.mouse.up()
  await take('mask')
  await page.getByRole('button', { name: 'Use this mask' }).click()
  await page.locator('#prompt').fill('a yellow star')
  await page.evaluate('scrollTo(0, 0)')
  await take('edit')
  await unfold()
  await page.locator('#count').fill('3')
  await page.keyboard.press('Control+Enter')
  await page.locator('.run').first().and(page.locator('[data-state=succeeded]')).waitFor({ timeout: 300_000 })
  await page.evaluate('scrollTo(0, 0)')
  await take('edited')

  await page.getByRole('button', { name: 'Remove' }).click()
  await page.locator('#prompt').fill('a cat on a blue background')
  await unfold()
  await page.getByText('Steps, guidance and samplers').click()
  await page.locator('#prior-steps').fill('100')
  await page.locator('#decoder-steps').fill('100')
  await page.locator('#seed').fill('11')
  await page.keyboard.press('Control+Enter')
  await page
    .locator('.tile-status', { hasText: /^Drawing [1-9]\d / })
    .first()
    .waitFor({ timeout: 300_000 })
  await take('running')
  await page.keyboard.press('Escape')
  await page.locator('.run[data-state=cancelled]').waitFor({ timeout: 300_000 })
  await take('cancelled')
  await page.close()
}
