import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createServer } from '../../../lib/server/index.js'
import { ApiKeys } from '../../../lib/server/keys/api-keys.js'
import { serverOptions } from '../../../lib/server/options.js'
import { withDirectory } from '../../support/small-model.js'
import { withFakeServer } from '../fake-backend.js'

const USE = 'use-0123456789abcdef'
const OTHER = 'other-0123456789abcdef'
const ADMIN = 'admin-0123456789abcdef'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const refusal = (message: string) =>
  expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) as string }) as Error

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('keys', () => {
  test('are found by their value, whether it or its hash was given', () => {
    const hash = sha256(OTHER)
    const keys = new ApiKeys([`ann:${USE}`, ADMIN, `eve:sha256=${hash}:admin`])
    expect(keys.find(USE)).toMatchObject({ name: 'ann', scope: 'use' })
    expect(keys.find(OTHER)).toMatchObject({ name: 'eve', scope: 'admin' })
    // Who has read the hash has not read the key.
    for (const given of [hash, `sha256=${hash}`]) expect(keys.find(given)).toBeUndefined()
    expect(keys.find(ADMIN)).toMatchObject({ name: 'key-2', scope: 'use' })
    expect(keys.find(`${USE}x`)).toBeUndefined()
    expect(keys.find('')).toBeUndefined()
    expect(JSON.stringify(keys)).not.toContain(USE)
  })

  const digits = (count: number) => '0123456789abcdef'.repeat(5).slice(0, count)
  test.each([
    ['short'],
    ['a:b:c:d'],
    ['ann:0123456789abcde\n'],
    // A hash that was cut off, or is in another form, would be taken for a key that nobody knows, or that its readers know.
    [`ann:sha256=${digits(2)}`],
    [`ann:sha256=${digits(16)}`],
    [`ann:sha256=${digits(63)}`],
    [`ann:sha256=${digits(65)}`],
    [`ann:sha256=${digits(63)}A`],
    [`sha256=${digits(16)}:admin`],
    [`SHA256=${digits(64)}`],
    [`ann:Sha256=${digits(64)}`],
    [`sha256:${digits(64)}`],
    [`ann:sha-256=${digits(64)}`],
    [`ann:sha512=${digits(64)}${digits(64)}`],
    [`ann:sha256-${digits(43)}=`],
    [`ann:{SHA256}${digits(64)}`],
    [`ann:$6$salt$${digits(64)}`],
    [`ann:$2b$12$${digits(53)}`],
    [`ann:$argon2id$v=19$m=65536,t=3,p=4$${digits(22)}`],
    [`ann:md5=${digits(32)}`],
    [''],
    [' ann:0123456789abcdef'],
    ['ann:0123456789abcdef:Admin'],
    ['ann:0123456789abcdef # comment']
  ])('are refused where they are not sound, and not told: %j', key => {
    let message = ''
    try {
      new ApiKeys([key])
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'apiKeys[0]' })
      message = (error as Error).message
    }
    expect(message).toContain('API key 1')
    expect(message).not.toContain(digits(16))
  })

  test.each([[`ann:${digits(64)}`], [digits(48)], ['shadow-0123456789abcdef'], ['md-0123456789abcdef'], ['$0123456789abcdef']])(
    'that only resemble a hash are keys: %j',
    key => {
      expect(new ApiKeys([key]).find(key.replace('ann:', ''))).toBeDefined()
    }
  )

  test.each<[string, string[], string]>([
    ['there are none', [], 'at least one API key'],
    ['two have one name', [`a:${USE}`, `a:${OTHER}`], 'the API key 1 and the API key 2 share one'],
    ['a name is that which another gets', [`key-2:${USE}`, OTHER], 'share one'],
    ['one comes twice', [`a:${USE}`, OTHER, `b:${USE}:admin`], 'the API key 1 and the API key 3 are the same'],
    ['one comes as its hash too', [`a:${USE}`, `b:sha256=${sha256(USE)}:admin`], 'are the same']
  ])('are refused where %s', (_, keys, message) => {
    expect(() => new ApiKeys(keys)).toThrow(refusal(message))
  })

  test.each([[' , '], [','], [' '], ['\t'], [`a:${USE},b:${USE}`], ['short']])(
    'that the environment should have and has not are refused: %j',
    value => {
      vi.stubEnv('WUERSTCHEN_API_KEYS', value)
      expect(() => serverOptions({})).toThrow(refusal('WUERSTCHEN_API_KEYS'))
    }
  )

  test('are none where the variable is empty, as if it was not set', () => {
    vi.stubEnv('WUERSTCHEN_API_KEYS', '')
    expect(serverOptions({}).keys).toBeUndefined()
  })

  test('are refused as an empty list', async () => {
    await expect(createServer({ apiKeys: [] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'apiKeys' })
  })
})

describe('a file of keys', () => {
  const inFile = <T>(text: string | Uint8Array, body: (file: string) => Promise<T>) =>
    withDirectory(directory => {
      const file = join(directory, 'keys')
      writeFileSync(file, text)
      return body(file)
    })

  test('has one a line, in whatever way its editor ends lines', () =>
    inFile(`\ufeff# keys\r\n\r\n  ann:${USE}\t\r\n# ops\n${OTHER}`, async file => {
      const keys = await ApiKeys.fromFile(file)
      expect([keys.find(USE)?.name, keys.find(OTHER)?.name]).toEqual(['ann', 'key-2'])
    }))

  test.each<[string, string | Uint8Array, string]>([
    ['is empty', '', 'it has none'],
    ['has blanks and comments alone', '\n# ann:0123456789abcdef\n  \n\t\r\n', 'it has none'],
    ['was cut off in a hash', `ann:${USE}\n\nops:sha256=1b4f0e9851971998:admin\n`, 'line 3'],
    ['was cut off in a key', `ann:${USE}\nbob:01234`, 'line 2'],
    ['has one key twice', `ann:${USE}\n# \nbob:${USE}`, 'line 1'],
    ['is no text', Uint8Array.from({ length: 256 }, (_, k) => k), 'line 1'],
    ['is far too long', `${'#'.repeat(2_000_000)}\nann:${USE}`, 'bytes']
  ])('is refused where it %s', (_, text, message) =>
    inFile(text, async file => {
      const error = (await ApiKeys.fromFile(file).catch((reason: unknown) => reason)) as Error
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(error.message).toContain(message)
      expect(error.message).toContain(file)
      expect(error.message).not.toContain(USE)
      expect(error.message.split('\n')).toHaveLength(1)
    })
  )

  test('is read again while the server runs: all of it, or nothing', () =>
    inFile(`ann:${USE}`, async file => {
      const apiKeys = await ApiKeys.fromFile(file)
      await withFakeServer({ apiKeys }, async app => {
        const status = async (key: string) =>
          (await app.inject({ url: '/v1/models', headers: { authorization: `Bearer ${key}` } })).statusCode
        expect([await status(USE), await status(OTHER)]).toEqual([200, 401])
        writeFileSync(file, `bob:${OTHER}\nops:sha256=12`)
        await expect(apiKeys.reload()).rejects.toThrow(refusal('line 2'))
        writeFileSync(file, '')
        await expect(apiKeys.reload()).rejects.toThrow(refusal('it has none'))
        expect([await status(USE), await status(OTHER)]).toEqual([200, 401])
        writeFileSync(file, `bob:${OTHER}\nops:${ADMIN}`)
        expect(await apiKeys.reload()).toBe(2)
        expect([await status(USE), await status(OTHER)]).toEqual([401, 200])
        apiKeys.replace([USE])
        expect([await status(USE), await status(OTHER)]).toEqual([200, 401])
        expect(() => apiKeys.replace([])).toThrow('at least one')
        expect(await status(USE)).toBe(200)
      })
    }))

  test('leaves each key its name when lines before it go, and gives no name to another key', () =>
    inFile(`${USE}\n${OTHER}`, async file => {
      const apiKeys = await ApiKeys.fromFile(file)
      const names = () => [USE, OTHER, ADMIN].map(key => apiKeys.find(key)?.name)
      expect(names()).toEqual(['key-1', 'key-2', undefined])
      writeFileSync(file, OTHER)
      await apiKeys.reload()
      expect(names()).toEqual([undefined, 'key-2', undefined])
      writeFileSync(file, `${ADMIN}\n${OTHER}\n`)
      await apiKeys.reload()
      expect(names()).toEqual([undefined, 'key-2', 'key-3'])
      apiKeys.replace([ADMIN, OTHER, USE])
      expect(names()).toEqual(['key-1', 'key-2', 'key-3'])
    }))

  test('does not hand the jobs of a key that is gone to the next one', () =>
    inFile(`${USE}\n${OTHER}`, async file => {
      const apiKeys = await ApiKeys.fromFile(file)
      await withFakeServer({ apiKeys }, async (app, backend) => {
        backend.automatic = true
        const as = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })
        const payload = { endpoint: '/v1/images/generations', body: { prompt: 'x' } }
        const made = await app.inject({ method: 'POST', url: '/v1/jobs', payload, headers: as(USE) })
        expect(made.statusCode).toBe(202)
        writeFileSync(file, OTHER)
        await apiKeys.reload()
        const list = await app.inject({ url: '/v1/jobs', headers: as(OTHER) })
        expect(list.json()).toMatchObject({ data: [] })
        const one = await app.inject({ url: made.headers.location as string, headers: as(OTHER) })
        expect(one.statusCode).toBe(404)
      })
    }))
})
