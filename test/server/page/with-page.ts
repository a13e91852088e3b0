import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { launchChromium } from '../../../scripts/pictures/chromium.mjs'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(async () => browser?.close())

/** Does not hang, no more: how long things take is nothing that these tests are about. */
const PATIENCE_MS = 55_000

/** What a read gives sooner or later. */
export const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: PATIENCE_MS })

export interface PageOptions extends BrowserContextOptions {
  /** Lines of the console that are meant to be there: browsers write one for each answer that is an error. */
  expectedErrors?: RegExp
}

/**
 * Runs `body` with the page of a server in a browser of its own. Nothing may be asked of another origin, nothing may be
 * refused by the content security policy, and nothing may be written to the console as an error.
 */
export async function withPage(
  app: FastifyInstance,
  body: (page: Page, origin: string) => Promise<void>,
  { expectedErrors, ...options }: PageOptions = {}
): Promise<void> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const context = await browser.newContext({ acceptDownloads: true, reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('request', request => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(`${origin}/`)) complaints.push(`asked ${request.url()}`)
  })
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error' && expectedErrors?.test(message.text()) !== true) complaints.push(message.text())
  })
  await context.addInitScript(
    'addEventListener("securitypolicyviolation", event => console.error(`refused by the policy: ${event.violatedDirective}`))'
  )
  try {
    await page.goto(`${origin}/`)
    await body(page, origin)
    expect(complaints).toEqual([])
  } finally {
    await context.close()
  }
}

/** Breaks every connection that asks for a path, until the function it returns is called. */
export function cutOff(app: FastifyInstance, path: string): () => void {
  const { server } = app
  const handlers = server.listeners('request') as RequestListener[]
  server.removeAllListeners('request')
  let isCut = true
  server.on('request', (request, response) => {
    if (isCut && request.url === path) request.socket.destroy()
    else for (const handle of handlers) handle(request, response)
  })
  return () => {
    isCut = false
  }
}

/** The newest run, once it is in a state. */
export async function newestRun(page: Page, state: string): Promise<Locator> {
  const run = page.locator('#runs > .run').first()
  await run.and(page.locator(`[data-state="${state}"]`)).waitFor()
  return run
}

export async function isReady(page: Page): Promise<void> {
  await page.locator('#generate:enabled').waitFor()
}

/** The file behind a link to save a picture. */
export async function download(page: Page, link: Locator): Promise<{ path: string; name: string }> {
  const [file] = await Promise.all([page.waitForEvent('download'), link.click()])
  return { path: await file.path(), name: file.suggestedFilename() }
}

/** Lets a file fall on the page. */
export async function drop(page: Page, file: Buffer, name: string): Promise<void> {
  const dataTransfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([Uint8Array.from(atob('${file.toString('base64')}'), letter => letter.charCodeAt(0))], '${name}', { type: 'image/png' }))
    return transfer
  })()`)
  await page.dispatchEvent('body', 'dragover', { dataTransfer })
  await page.dispatchEvent('body', 'drop', { dataTransfer })
}

/**
 * What a screen reader would announce by its role alone: controls and pictures without a name, as Chromium itself tells of them.
 */
export async function nameless(page: Page): Promise<string[]> {
  const roles = /^\s*- (button|link|textbox|searchbox|combobox|slider|checkbox|radio|spinbutton|progressbar|img|dialog)\b(?! ")/
  return (await page.locator('html').ariaSnapshot()).split('\n').filter(line => roles.test(line))
}
