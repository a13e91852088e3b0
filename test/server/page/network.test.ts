import { describe, expect, test } from 'vitest'
import { until, withFakeServer } from '../fake-backend.js'
import { ask, finish, nextRun, png } from './fake-runs.js'
import { cutOff, eventually, isReady, nameless, newestRun, withPage } from './with-page.js'

/** Networks that are gone, servers that are started anew, and answers that get lost. */

const BROKEN = { expectedErrors: /ERR_|Failed to load|50[234]|40[14]|410|429/ }

describe('a bad network', () => {
  test('holds back what is asked for, also when the page is loaded anew, and sends it in order when it is back', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          // The page itself comes from the server; only what it asks of the API is cut off, from before the network goes. The
          // server does it: a browser lets through what a page that is being left has just asked for.
          const reach = cutOff(app, '/v1/jobs')
          await page.context().setOffline(true)
          await ask(page, 'first')
          await ask(page, 'second')
          await page.locator('#hold').getByText('The server cannot be reached').waitFor()
          await eventually(() => page.locator('.run[data-state=sending]').count()).toBe(2)
          expect(await nameless(page)).toEqual([])
          await page.context().setOffline(false)
          await page.reload()
          await page.locator('.run[data-state=sending]').nth(1).waitFor()
          await page.locator('#hold').getByText('The server cannot be reached').waitFor()
          await ask(page, 'third')
          expect(backend.runs).toHaveLength(0)
          reach()
          await nextRun(backend, 3)
          expect(backend.runs.map(({ work }) => work)).toMatchObject(
            ['first', 'second', 'third'].map(prompt => ({ options: { prompt } }))
          )
          for (const run of backend.runs) finish(run)
          await page.locator('.run[data-state=succeeded]').nth(2).waitFor()
          await page.locator('#hold').waitFor({ state: 'hidden' })
        },
        BROKEN
      )
    ))

  test('lets a held request be cancelled', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          await page.context().setOffline(true)
          await ask(page, 'never sent')
          await page.locator('#hold').waitFor()
          await page.getByRole('button', { name: 'Cancel never sent' }).click()
          await newestRun(page, 'cancelled')
          await page.context().setOffline(false)
          await ask(page, 'sent')
          await nextRun(backend, 1)
          expect(backend.runs[0]!.work).toMatchObject({ options: { prompt: 'sent' } })
        },
        BROKEN
      )
    ))

  test.each([
    ['a proxy that has no server behind it', { status: 502, body: 'Bad Gateway' }],
    ['a connection that breaks', 'abort'],
    ['a stream that ends at once', { status: 200, contentType: 'text/event-stream', body: ': events follow\n\n' }]
  ] as const)('does not lose a running request to %s, however often', (_, answer) =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          let broken = 0
          const cut = /\/v1\/jobs\/[^/]+\/(events|result)$/
          await page.context().route(cut, route => {
            broken++
            return answer === 'abort' ? route.abort() : route.fulfill(answer)
          })
          await ask(page, 'a red heart')
          finish(await nextRun(backend, 1))
          await eventually(async () => broken).toBeGreaterThan(2)
          await page.reload()
          await newestRun(page, 'running').catch(() => newestRun(page, 'queued'))
          await page.context().unroute(cut)
          await newestRun(page, 'succeeded')
          await eventually(() => page.locator('.tile.done').count()).toBe(1)
          expect(backend.runs).toHaveLength(1)
        },
        BROKEN
      )
    )
  )

  test('says so where the server no longer has the request', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          await page.context().route(/\/v1\/jobs\/[^/]+\/events$/, route =>
            route.fulfill({
              status: 404,
              json: { error: { code: 'job_not_found', message: 'There is no such job', param: null } }
            })
          )
          await ask(page, 'a red heart')
          await nextRun(backend, 1)
          const run = await newestRun(page, 'failed')
          await eventually(() => run.locator('.problem').textContent()).toMatch(/^The server no longer has it/)
        },
        BROKEN
      )
    ))

  test('tries a full queue again after the time that the server names', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          let refused = 0
          await page.context().route('**/v1/jobs', route =>
            route.request().method() === 'POST' && refused++ === 0
              ? route.fulfill({
                  status: 503,
                  headers: { 'retry-after': '1' },
                  json: { error: { code: 'queue_full', message: 'Too much waits', param: null } }
                })
              : route.fallback()
          )
          await ask(page, 'a red heart')
          await page.locator('#hold').getByText('too much to do').waitFor()
          finish(await nextRun(backend, 1))
          await newestRun(page, 'succeeded')
        },
        BROKEN
      )
    ))

  test('is survived while the page is being opened', () =>
    withFakeServer({}, app =>
      withPage(
        app,
        async page => {
          await page.context().route('**/v1/models', route => route.abort())
          await page.reload()
          await page.getByText('The server cannot be reached. The page keeps trying.').waitFor()
          await eventually(() => page.locator('#why').textContent()).toBe('It waits for the server.')
          await page.context().unroute('**/v1/models')
          await isReady(page)
          await eventually(() => page.locator('#why').isVisible()).toBe(false)
        },
        BROKEN
      )
    ))
})

describe('an answer that gets lost after the server has taken the request', () => {
  const image = png.toString('base64')

  test('makes one job, also when the page is loaded anew before it asks again; “Run again” makes another', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          const answers: number[] = []
          page.on('response', response => {
            if (response.url().endsWith('/v1/jobs')) answers.push(response.status())
          })
          let lost = 0
          await page.context().route('**/v1/jobs', async route => {
            if (route.request().method() !== 'POST') return route.fallback()
            await route.fetch()
            lost++
            await route.abort()
          })
          await ask(page, 'a red heart', 2)
          await eventually(async () => lost).toBeGreaterThan(1)
          await page.reload()
          const before = lost
          await eventually(async () => lost).toBeGreaterThan(before)
          await page.context().unroute('**/v1/jobs')
          finish(await nextRun(backend, 1))
          const run = await newestRun(page, 'succeeded')
          expect(backend.runs).toHaveLength(1)
          await page.waitForTimeout(2000)
          await run.getByRole('button', { name: /^Run again/ }).click()
          finish(await nextRun(backend, 2))
          await page.locator('.run[data-state=succeeded]').nth(1).waitFor()
          expect(answers.filter(status => status >= 400)).toEqual([])
        },
        BROKEN
      )
    ))

  test.each(['vary', 'edit', 'mix'])('makes one job of pictures too: %s', mode =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async page => {
          await isReady(page)
          const work = backend.run.bind(backend)
          let encoded = 0
          // A device need not give the same numbers twice: what else is in a batch can change the last bits.
          backend.run = async (model, asked, signal, emit) =>
            asked.kind === 'embedImage'
              ? { kind: 'embeddings', file: embeddingsOf(encoded++), shape: [1, 1, 1, 1], values: [0], seeds: [1] }
              : work(model, asked, signal, emit)
          let lost = 0
          await page.context().route('**/v1/jobs', async route => {
            if (route.request().method() !== 'POST') return route.fallback()
            // The fake model has other embeddings than the packaged one.
            await route.fetch(mode === 'mix' ? { postData: { ...route.request().postDataJSON(), ...variation } } : {})
            sent.add(route.request().postData()!)
            lost++
            await route.abort()
          })
          const sent = new Set<string>()
          const variation = { endpoint: '/v1/images/variations', body: { image } }
          for (const name of mode === 'mix' ? ['one.png', 'two.png'] : ['one.png']) {
            const second = name === 'two.png'
            if (second) await page.locator('input[name=mode][value=mix]').check()
            const chosen = page.waitForEvent('filechooser')
            await page.locator(second ? '#choose-second' : '#add-picture').click()
            await (await chosen).setFiles({ name, mimeType: 'image/png', buffer: png })
          }
          await page.locator(`input[name=mode][value=${mode}]`).check()
          await ask(page, 'a red heart')
          await eventually(async () => lost).toBeGreaterThan(1)
          await page.reload()
          const before = lost
          await eventually(async () => lost).toBeGreaterThan(before)
          expect(sent.size).toBe(1)
          if (mode === 'mix') return
          await page.context().unroute('**/v1/jobs')
          finish(await nextRun(backend, 1))
          await newestRun(page, 'succeeded')
          expect(backend.runs).toHaveLength(1)
        },
        BROKEN
      )
    )
  )
})

/** A file of embeddings with one number. */
function embeddingsOf(value: number): Buffer {
  const header = JSON.stringify({ embeddings: { dtype: 'F32', shape: [1, 1, 1, 1], data_offsets: [0, 4] } }).padEnd(80)
  const numbers = Buffer.alloc(12)
  numbers.writeBigUInt64LE(BigInt(header.length))
  numbers.writeFloatLE(value, 8)
  return Buffer.concat([numbers.subarray(0, 8), Buffer.from(header), numbers.subarray(8)])
}

describe('many requests', () => {
  test('leave connections free: all of them finish, and can be cancelled, with ten at once', () =>
    withFakeServer({ limits: { maxRunningImages: 3 } }, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        const prompts = Array.from({ length: 10 }, (_, index) => `prompt ${index}`)
        await page.locator('#prompt').fill(prompts.join('\n'))
        await page.getByText('Each line is a prompt of its own (10 prompts)').click()
        await page.keyboard.press('Control+Enter')
        await until(() => backend.runs.length === 3)
        await eventually(() => page.locator('#queue-text').textContent()).toMatch(/^3 running, 7 waiting/)
        expect(await nameless(page)).toEqual([])
        // The third has no stream of its own.
        finish(backend.runs[2]!)
        await page.locator('.run[data-state=succeeded]').getByRole('heading', { name: 'prompt 2' }).waitFor()
        await until(() => backend.runs.length === 4)
        await page.getByRole('button', { name: 'Cancel all' }).click()
        await page.locator('#queue').waitFor({ state: 'hidden' })
        await eventually(() => page.locator('.run[data-state=cancelled]').count()).toBe(9)
        expect(backend.runs.map(({ signal }) => signal.aborted)).toEqual([true, true, false, true])
      })
    ))

  test('are not what a double click, a held key or an impatient second tap asks for', () =>
    withFakeServer({}, (app, backend) =>
      withPage(app, async page => {
        await isReady(page)
        await page.locator('#prompt').fill('a red heart')
        await page.locator('#generate').dblclick()
        await page.waitForTimeout(700)
        await page.locator('#generate').click()
        await page.keyboard.down('Control')
        for (let press = 0; press < 5; press++) await page.keyboard.down('Enter')
        await page.keyboard.up('Enter')
        await page.keyboard.up('Control')
        finish(await nextRun(backend, 1))
        const run = await newestRun(page, 'succeeded')
        await page.waitForTimeout(2000)
        await run.getByRole('button', { name: /^Run again/ }).dblclick()
        finish(await nextRun(backend, 2))
        await page.locator('.run[data-state=succeeded]').nth(1).waitFor()
        // What moves under the pointer after the first half of a double click is not meant.
        await page
          .getByRole('button', { name: /^Delete/ })
          .first()
          .dblclick()
        await eventually(() => page.locator('.run').count()).toBe(1)
        await page.waitForTimeout(300)
        await eventually(() => page.locator('.run').count()).toBe(1)
        expect(backend.runs).toHaveLength(2)
      })
    ))
})

describe('the API key', () => {
  test('that is not given leaves the page usable, and can be given later', () =>
    withFakeServer({ apiKeys: ['somebody:correct-horse-battery'] }, (app, backend) =>
      withPage(
        app,
        async page => {
          await page.getByRole('button', { name: 'Not now' }).click()
          await page.getByText('Nothing can be drawn without the API key').waitFor()
          await eventually(() => page.locator('#why').textContent()).toBe('It needs the API key of this server.')
          expect(await nameless(page)).toEqual([])
          await page.getByRole('button', { name: 'API key', exact: true }).click()
          await page.locator('#key-value').fill('correct-horse-battery')
          await page.keyboard.press('Enter')
          await isReady(page)
          // The server takes it back: what is asked for waits, and no dialog comes again and again.
          await page.evaluate('sessionStorage.setItem("wuerstchen-api-key", "some-other-key-entirely")')
          await ask(page, 'a red heart')
          await page.getByRole('button', { name: 'Not now' }).click()
          await page.locator('#hold').getByText('asks for its API key').waitFor()
          await page.waitForTimeout(2500)
          await eventually(() => page.locator('#key').isVisible()).toBe(false)
          await page.getByRole('button', { name: 'API key', exact: true }).click()
          await page.locator('#key-value').fill('correct-horse-battery')
          await page.keyboard.press('Enter')
          finish(await nextRun(backend, 1))
          await newestRun(page, 'succeeded')
        },
        BROKEN
      )
    ))
})

describe('two tabs', () => {
  test('show the same history, and neither sends or removes what is the other’s twice', () =>
    withFakeServer({}, (app, backend) =>
      withPage(
        app,
        async (page, origin) => {
          await isReady(page)
          const other = await page.context().newPage()
          await other.goto(`${origin}/`)
          await isReady(other)
          await page.context().setOffline(true)
          await ask(page, 'a red heart')
          await newestRun(other, 'sending')
          await page.context().setOffline(false)
          const run = await nextRun(backend, 1)
          await newestRun(other, 'running')
          finish(run)
          for (const each of [page, other]) {
            await newestRun(each, 'succeeded')
            await each.locator('button.frame').waitFor()
          }
          await ask(other, 'a green apple')
          finish(await nextRun(backend, 2))
          await page.locator('.run[data-state=succeeded]').nth(1).waitFor()
          await other.getByRole('button', { name: 'Delete a red heart' }).click()
          await eventually(() => page.locator('.run').count()).toBe(1)
          await page.reload()
          await eventually(() => page.locator('.run h2').allTextContents()).toEqual(['a green apple'])
          expect(backend.runs).toHaveLength(2)
        },
        BROKEN
      )
    ))
})
