import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, Pipeline, readParameters } from '../../../lib/index.js'
import { createServer } from '../../../lib/server/index.js'
import { has } from '../../support/programs.mjs'
import { heartPicture, tinyModel, withFakeServer } from '../fake-backend.js'
import { ask, finish, nextRun, png } from './fake-runs.js'
import { download, drop, eventually, isReady, nameless, newestRun, withPage } from './with-page.js'

/** What can be done with pictures that are there. */

const run = promisify(execFile)

describe('pictures', () => {
  test('are saved together in one ZIP file, which Python opens', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await ask(page, 'ein Würstchen', 3)
        finish(await nextRun(backend, 1))
        await newestRun(page, 'succeeded')
        await page.locator('#prompt').press('End')
        await ask(page, 'ein Würstchen', 1)
        finish(await nextRun(backend, 2))
        await page.locator('.run[data-state=succeeded]').nth(1).waitFor()
        const one = await download(page, page.getByRole('button', { name: /^Save all pictures of/ }))
        expect(one.name).toBe('ein-würstchen.zip')
        const all = await download(page, page.getByRole('button', { name: 'Save all pictures', exact: true }))
        const script = `import sys, zipfile, json
archive = zipfile.ZipFile(sys.argv[1])
print(json.dumps([archive.testzip(), archive.namelist(), [archive.getinfo(name).file_size for name in archive.namelist()]]))`
        const listed = async (path: string) => JSON.parse((await run('python3', ['-c', script, path])).stdout) as unknown
        const names = [100, 101, 102].map(seed => `ein-würstchen-${seed}.png`)
        expect(await listed(one.path)).toEqual([null, names, names.map(() => png.length)])
        expect(await listed(all.path)).toEqual([
          null,
          ['ein-würstchen-100.png', 'ein-würstchen-100 (2).png', ...names.slice(1)],
          [0, 1, 2, 3].map(() => png.length)
        ])
      })
    ))

  test('are compared with what they started from', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await drop(page, png, 'mine.png')
        await page.locator('#source').waitFor()
        await ask(page, '', 2)
        finish(await nextRun(backend, 1))
        const card = await newestRun(page, 'succeeded')
        await card.getByRole('button', { name: /^Open picture 1/ }).click()
        const slider = page.getByRole('slider', { name: 'Before and after' })
        const clip = () => page.evaluate<string>('getComputedStyle(document.querySelector(".before")).clipPath')
        await eventually(() => clip()).toBe('inset(0px 100% 0px 0px)')
        await slider.fill('30')
        await eventually(() => clip()).toBe('inset(0px 70% 0px 0px)')
        await eventually(() => slider.getAttribute('aria-valuetext')).toBe('30 % of the starting picture')
        expect(await nameless(page)).toEqual([])
        // Arrows in the slider are its own; elsewhere they turn to the next picture.
        await page.keyboard.press('ArrowRight')
        await eventually(() => page.locator('.viewer-steps .hint').textContent()).toBe('1 of 2')
        await page.getByRole('button', { name: 'Next picture' }).click()
        await eventually(() => page.locator('.viewer-steps .hint').textContent()).toBe('2 of 2')
        await eventually(() => page.evaluate('document.activeElement.textContent')).toBe('Next →')
      })
    ))

  test('are described by words that no length of a word can widen', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          const word = 'x'.repeat(2000)
          await isReady(page)
          for (const [index, width] of [1280, 640, 360, 320].entries()) {
            await page.setViewportSize({ width, height: 740 })
            const wide = () =>
              page.evaluate<string[]>(
                `[document.documentElement, ...document.querySelectorAll('dialog[open], dialog[open] *, main *, form *')]
                  .filter(each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== 'visible'
                    && !each.matches('.visually-hidden, .source-name, input, select'))
                  .map(each => each.tagName + '.' + each.className)`
              )
            await drop(page, png, `${word}.png`)
            await page.locator('#source').waitFor()
            await ask(page, word)
            const { work, finish: end } = await nextRun(backend, index + 1)
            const image = { file: png, format: 'png' as const, width: 128, height: 128, seed: 1 }
            end({
              kind: 'images',
              images: [{ ...image, parameters: { ...fakeParameters, prompt: word, model: { name: word, hash: 'h' } } }],
              timings: { total: 1, queued: 0 } as never,
              cut: [{ text: 'prompt', encoder: 'prior', removed: word }] as never
            })
            expect(work.kind).toBe('vary')
            const card = await newestRun(page, 'succeeded')
            expect(await wide(), `${width}`).toEqual([])
            await card.getByRole('button', { name: /^Open/ }).click()
            expect(await wide(), `${width}, open`).toEqual([])
            await page.keyboard.press('Escape')
            await card.getByRole('button', { name: /^Edit/ }).click()
            await page.getByRole('button', { name: 'Use this mask' }).click()
            await page.getByRole('button', { name: 'Remove' }).click()
          }
        },
        { hasTouch: true }
      )
    ))
})

const fakeParameters = {
  prompt: '',
  negativePrompt: '',
  width: 128,
  height: 128,
  seed: 1,
  model: { name: 'm', hash: 'h' },
  device: 'cpu',
  dtype: 'float32',
  versions: { wuerstchen: '0', torch: '0' },
  rng: 'torch-cpu' as const
}

describe('on the packaged model', () => {
  let server: FastifyInstance
  beforeAll(async () => {
    server = await createServer({ models: { tiny: tinyModel }, pipeline: { threads: 1 } })
  })
  afterAll(async () => server?.close())

  test('two pictures are mixed as the library mixes them', { timeout: 120_000 }, () =>
    withPage(server, async page => {
      const green = await sharp({ create: { width: 128, height: 128, channels: 3, background: '#1a7' } })
        .png()
        .toBuffer()
      const heart = await heartPicture()
      await isReady(page)
      await drop(page, heart, 'heart.png')
      await page.locator('#source').waitFor()
      await page.getByLabel('Mix', { exact: true }).check()
      await page.keyboard.press('Control+Enter')
      await eventually(() => page.locator('#problem').textContent()).toBe('Choose a second picture to mix it with.')
      await drop(page, green, 'green.png')
      await page.getByRole('slider', { name: /Share of the second/ }).fill('0.25')
      await page.locator('#seed').fill('5')
      await page.getByText('Steps, guidance and samplers').click()
      await page.locator('#decoder-steps').fill('2')
      await page.locator('#count').fill('2')
      await page.keyboard.press('Control+Enter')
      const card = await newestRun(page, 'succeeded')
      const { path } = await download(page, card.getByRole('link', { name: /^Save picture 1/ }))
      const made = await readFile(path)
      expect((await readParameters(made)).parameters?.mixedFrom?.map(({ weight }) => weight)).toEqual([0.75, 0.25])

      await using pipeline = await Pipeline.load(tinyModel, { threads: 1 })
      const size = { width: 256, height: 256 }
      using one = await pipeline.encodeImage(heart, size)
      using other = await pipeline.encodeImage(green, size)
      using mixed = await Embeddings.mix([one, other], [0.75, 0.25])
      const { images } = await pipeline.decode(mixed, { seed: 5, decoderSteps: 2 })
      const [is, wanted] = await Promise.all([sharp(made).removeAlpha().raw().toBuffer(), images[0]!.data])
      const most = is.reduce((so, value, index) => Math.max(so, Math.abs(value - wanted[index]!)), 0)
      // Alone and in a batch of two: kernels may differ by one in 255.
      expect(most).toBeLessThanOrEqual(1)
    })
  )

  test.runIf(has('curl'))('the command for a terminal makes the same picture again', { timeout: 120_000 }, () =>
    withPage(server, async page => {
      const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-page-'))
      const again = async (name: string) => {
        const command = await page.locator('#command-text').inputValue()
        await run('sh', ['-c', command.replaceAll('picture-made.png', name)], { cwd: folder })
        return sharp(await readFile(join(folder, name)))
          .removeAlpha()
          .raw()
          .toBuffer()
      }
      const open = async () => {
        const card = await newestRun(page, 'succeeded')
        const { path } = await download(page, card.getByRole('link', { name: /^Save picture/ }).last())
        await card.getByRole('button', { name: /^Open/ }).last().click()
        await page.getByRole('button', { name: /^As curl/ }).click()
        return sharp(await readFile(path))
          .removeAlpha()
          .raw()
          .toBuffer()
      }
      const near = (one: Buffer, other: Buffer) =>
        expect(one.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at]!)), 0)).toBeLessThanOrEqual(1)
      await isReady(page)
      await page.getByText('Steps, guidance and samplers').click()
      await page.locator('#prior-steps').fill('3')
      await page.locator('#decoder-steps').fill('2')
      await ask(page, `it's "a" \\ red $HOME \`heart\``, 2)
      near(await open(), await again('first.png'))
      await page.locator('#command-close').click()
      await page.keyboard.press('Escape')

      const heart = await heartPicture()
      await writeFile(join(folder, 'picture.png'), heart)
      await drop(page, heart, 'picture.png')
      await page.locator('#source').waitFor()
      await page.locator('#strength').fill('0.4')
      await ask(page, '@notes.txt')
      await page.locator('.run').nth(1).waitFor()
      near(await open(), await again('second.png'))
      expect(await readdir(folder)).toHaveLength(3)
      expect(await nameless(page)).toEqual([])
    })
  )
})

test('what is kept says how much that is, and is bounded', () =>
  withFakeServer({}, (app, backend) =>
    withPage(app, async (page, origin) => {
      await isReady(page)
      await ask(page, 'a red heart')
      finish(await nextRun(backend, 1))
      await newestRun(page, 'succeeded')
      await eventually(() => page.locator('#history-text').textContent()).toBe(
        'Kept in this browser alone: 1 request, 0.0 MB. The newest 100 stay, up to 512 MB.'
      )
      // 130 more of the same, as if they had been asked for before.
      await page.evaluate(`new Promise((resolve, reject) => {
        const open = indexedDB.open('wuerstchen')
        open.onsuccess = () => {
          const store = open.result.transaction('runs', 'readwrite').objectStore('runs')
          store.getAll().onsuccess = ({ target }) => {
            const [run] = target.result
            for (let index = 1; index <= 130; index++) store.put({ ...run, id: 'old-' + index, at: run.at - index })
          }
          store.transaction.oncomplete = resolve
          store.transaction.onerror = reject
        }
      })`)
      await page.goto(`${origin}/`)
      await eventually(() => page.locator('#history-text').textContent()).toMatch(/: 100 requests, /)
      await eventually(() => page.locator('.run').count()).toBe(100)
    })
  ))

test('what cannot be kept says so', () =>
  withFakeServer({}, (app, backend) =>
    withPage(app, async page => {
      await isReady(page)
      await page.evaluate('IDBObjectStore.prototype.put = () => { throw new DOMException("no room", "QuotaExceededError") }')
      await ask(page, 'a red heart')
      finish(await nextRun(backend, 1))
      await newestRun(page, 'succeeded')
      await eventually(() => page.locator('#history-text').textContent()).toMatch(/^This browser has no room/)
    })
  ))
