import { execFileSync } from 'node:child_process'
import { AwsV4Signer } from 'aws4fetch'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { queueAddress } from '../../../../lib/server/queue/address.js'
import { resultsPlace, type S3Place } from '../../../../lib/server/queue/files/results-place.js'
import { S3Files } from '../../../../lib/server/queue/files/s3-files.js'
import { s3Settings } from '../../../../lib/server/queue/files/s3-settings.js'
import { openQueue } from '../../../../lib/server/queue/queue.js'
import { s3Python } from '../../../../scripts/setup/s3.mjs'
import { RedisServer } from '../../../support/queues.js'
import { describeWithS3, S3Server } from '../../../support/s3.js'
import { json } from '../../fake-backend.js'
import { eventually, Fleet } from '../fleet.js'

const KEYS = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret-word' }

test.each([
  [{ ...KEYS }, 'AWS_REGION'],
  [{ AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'id' }, 'AWS_SECRET_ACCESS_KEY'],
  [{ ...KEYS, AWS_REGION: 'secret-word/..' }, 'AWS_REGION'],
  [{ ...KEYS, AWS_ENDPOINT_URL: 'http://user:secret-word@h' }, 'AWS_ENDPOINT_URL'],
  [{ ...KEYS, AWS_ENDPOINT_URL: 'secret-word' }, 'AWS_ENDPOINT_URL']
])('what the environment lacks is named, and no value of it: %j', (env, name) => {
  const said = (() => {
    try {
      s3Settings(env)
    } catch (error) {
      return error as Error & { code: string; subject: string }
    }
    throw new Error('It was taken')
  })()
  expect([said.code, said.subject]).toEqual(['INVALID_ARGUMENT', 'results'])
  expect(said.message).toContain(name)
  expect(said.message).not.toContain('secret-word')
})

test('the environment is read as AWS reads it', () => {
  const env = { ...KEYS, AWS_ENDPOINT_URL: 'http://a', AWS_ENDPOINT_URL_S3: 'http://b:9000', AWS_SESSION_TOKEN: 't' }
  expect(s3Settings(env)).toMatchObject({ endpoint: new URL('http://b:9000'), region: 'us-east-1', sessionToken: 't' })
  expect(s3Settings({ ...KEYS, AWS_DEFAULT_REGION: 'cn-north-1' })).toMatchObject({ endpoint: undefined, region: 'cn-north-1' })
})

test.each([
  's3://b/p',
  's3://bucket',
  's3://bucket/',
  's3://bucket/a//b',
  's3://bucket/.a',
  's3://bucket/a b',
  's3://Bucket_/p',
  's3://id:secret-word@bucket/p',
  's3://bucket/p?links=nobody',
  's3://bucket/p#x'
])('%s is no place for results', address => {
  expect(() => resultsPlace(address)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', subject: 'results' }))
  expect(() => resultsPlace(address)).not.toThrow(/secret-word/)
})

test('a place is a bucket and a prefix', () => {
  expect(resultsPlace('s3://my.bucket/a/b-c.d/')).toEqual({ bucket: 'my.bucket', prefix: 'a/b-c.d', links: 'store' })
  expect(resultsPlace('s3://bucket/a?links=server')).toEqual({ bucket: 'bucket', prefix: 'a', links: 'server' })
  // Parts that lead upwards are resolved by whoever reads addresses, and never leave the bucket.
  expect(resultsPlace('s3://bucket/a/../b')).toMatchObject({ prefix: 'b' })
})

test.each([
  [{ AWS_REGION: 'eu-west-3' }, 's3://bucket/p', 'https://bucket.s3.eu-west-3.amazonaws.com/p/f/job/out/0'],
  [{ AWS_REGION: 'cn-north-1' }, 's3://a.b/p', 'https://s3.cn-north-1.amazonaws.com.cn/a.b/p/f/job/out/0'],
  [{ AWS_ENDPOINT_URL: 'https://h:9000/base/' }, 's3://bucket/p', 'https://h:9000/base/bucket/p/f/job/out/0']
])('%j leads to %s at %s', async (env, address, url) => {
  const files = new S3Files(AwsV4Signer, s3Settings({ ...KEYS, ...env }), resultsPlace(address) as S3Place, 'f', TIMES)
  const signed = new URL(await files.address!({ path: 'job/out/0', format: 'webp', seed: 7 }, 60))
  expect([signed.origin + signed.pathname, signed.searchParams.get('X-Amz-Expires')]).toEqual([url, '60'])
  expect(signed.href).not.toContain('secret-word')
})

const TIMES = { tryMs: 3000, allMs: 6000 }

describeWithS3('a store that speaks S3', () => {
  let server: S3Server
  let files: S3Files
  beforeAll(async () => {
    server = await S3Server.start()
  })
  afterAll(() => server.stop())
  beforeEach(() => {
    server.stubEnv()
    server.seen.length = 0
    files = filesIn()
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    server.fault = () => false
    server.change = body => body
  })
  const filesIn = (times = TIMES) =>
    new S3Files(AwsV4Signer, s3Settings(), resultsPlace(server.place) as S3Place, 'folder', times)

  test('is asked again while it is busy, fails or cuts connections', async () => {
    const answers: ((reply: import('node:http').ServerResponse) => void)[] = [
      reply => reply.writeHead(503).end('<Error><Code>SlowDown</Code></Error>'),
      reply => reply.writeHead(500).end('no xml'),
      reply => reply.writeHead(400).end('<Error><Code>RequestTimeout</Code></Error>'),
      reply => reply.destroy()
    ]
    server.fault = (_, reply) => {
      const answer = answers.shift()
      answer?.(reply)
      return answer !== undefined
    }
    await files.write('job/out/0', Buffer.from('picture'))
    expect(server.count(/^PUT /)).toBe(5)
    expect(await files.read('job/out/0')).toEqual(Buffer.from('picture'))
  })

  test('is not waited for without an end', async () => {
    server.fault = () => true
    const error = await filesIn({ tryMs: 100, allMs: 300 })
      .read('job/out/0')
      .catch(error => error)
    expect(error).toMatchObject({ name: 'TimeoutError' })
    expect(server.count(/^GET /)).toBeGreaterThan(1)
  })

  test('is not believed where bytes are missing or are others, and is asked for them again', async () => {
    await files.write('job/out/0', Buffer.from('picture'))
    const changes = [(body: Buffer) => body.subarray(0, 3), (body: Buffer) => Buffer.from(body).fill('x')]
    server.change = body => changes.shift()?.(body) ?? body
    expect(await files.read('job/out/0')).toEqual(Buffer.from('picture'))
    expect(server.count(/^GET /)).toBe(3)
    server.change = body => body.subarray(0, 3)
    await expect(filesIn({ tryMs: 3000, allMs: 0 }).read('job/out/0')).rejects.toThrow('other bytes')
  })

  test('lists more than a page of files', async () => {
    const all = Array.from({ length: 25 }, (_, index) => `many/out/${index}`)
    for (const path of all) await files.write(path, Buffer.alloc(0))
    const found: string[] = []
    for await (const { path, ageMs } of files.list('many')) {
      found.push(path)
      expect(ageMs).toBeLessThan(3_600_000)
    }
    expect(found.sort()).toEqual(all.sort())
    expect(server.count(/^GET .*list-type/)).toBe(3)
  })

  test.each([
    ['SignatureDoesNotMatch', { AWS_SECRET_ACCESS_KEY: 'another-secret' }, undefined],
    ['InvalidAccessKeyId', { AWS_ACCESS_KEY_ID: 'another-key' }, undefined],
    ['NoSuchBucket', {}, 's3://no-such-bucket/p'],
    ['AccessDenied', {}, 's3://wuerstchen-test/elsewhere']
  ])('is refused at the start where it answers %s', async (code, env, place) => {
    server.stubEnv(env)
    const redis = await RedisServer.start()
    try {
      const open = openQueue(queueAddress(redis.url), resultsPlace(place ?? server.place), 'prompt')
      const error = (await open.catch(error => error)) as Error
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'results' })
      expect(error.message).toMatch(place === undefined || code === 'AccessDenied' ? code : /NoSuchBucket|AccessDenied/)
      const said = `${error.message} ${error.stack} ${String(error.cause)} ${JSON.stringify(error.cause)}`
      for (const secret of ['another-secret', server.facts.secretAccessKey, server.facts.accessKeyId])
        expect(said).not.toContain(secret)
    } finally {
      await redis.stop()
    }
  })

  test('gives images to whoever has an address of it, for an hour and to nobody else', async () => {
    const fleet = await Fleet.start('redis')
    try {
      const { backend } = await fleet.worker({ results: server.place })
      backend.automatic = true
      const [direct, own] = await Promise.all(['', '?links=server'].map(links => fleet.server({ results: server.place + links })))
      const ask = json({ prompt: 'x', response_format: 'url' })
      const reply = (await direct!.inject({ url: '/v1/images/generations', ...ask })).json() as { data: { url: string }[] }
      const { url } = reply.data[0]!
      expect(url.startsWith(`${server.endpoint}/${server.facts.bucket}/${server.facts.prefix}/`)).toBe(true)
      const image = await fetch(url)
      expect([image.status, image.headers.get('content-type'), await image.text()]).toEqual([200, 'image/png', 'picture 0'])
      expect(image.headers.get('content-disposition')).toMatch(/^inline;filename="wuerstchen-\d+\.png"$/)
      const expires = Number(new URL(url).searchParams.get('X-Amz-Expires'))
      expect(expires).toBeGreaterThan(3000)
      expect(expires).toBeLessThanOrEqual(3600)
      for (const changed of [
        url.replace('image%2Fpng', 'text%2Fhtml'),
        url.replace(/Expires=\d+/, 'Expires=9999'),
        url.replace('/0?', '/1?')
      ])
        if (changed !== url) expect((await fetch(changed)).status).toBe(403)
      const second = (await own!.inject({ url: '/v1/images/generations', ...ask })).json() as { data: { url: string }[] }
      expect(new URL(second.data[0]!.url).pathname).toMatch(/^\/v1\/results\//)
    } finally {
      await fleet.end()
    }
  })

  test('loses no job while it is away: workers leave it, and servers say why they refuse', async () => {
    const fleet = await Fleet.start('redis')
    try {
      const { backend } = await fleet.worker({ results: server.place })
      const app = await fleet.server({ results: server.place })
      const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
      const { id } = (await app.inject({ url: '/v1/jobs', ...request })).json() as { id: string }
      await eventually(() => backend.runs.length === 1)
      // Rights that were taken away are not waited for.
      server.fault = (_, reply) => {
        reply.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>')
        return true
      }
      backend.runs[0]!.finish()
      await eventually(() => backend.runs.length === 2)
      const image =
        'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
      const edit = await app.inject({ url: '/v1/images/edits', ...json({ prompt: 'x', image }) })
      expect([edit.statusCode, edit.headers['retry-after'], edit.json().error.code]).toEqual([503, '5', 'results_unreachable'])
      server.fault = () => false
      backend.automatic = true
      backend.runs[1]!.finish()
      await eventually(async () => (await app.inject({ url: `/v1/jobs/${id}` })).json().status === 'succeeded')
      expect(backend.runs[1]!.work).toEqual(backend.runs[0]!.work)
    } finally {
      await fleet.end()
    }
  })

  test('gets the signatures that botocore makes', async () => {
    const address = new URL(await files.address!({ path: 'job/out/0', format: 'jpeg', seed: 1 }, 3600))
    const program = [
      'import sys, json',
      'from botocore.auth import S3SigV4QueryAuth',
      'from botocore.awsrequest import AWSRequest',
      'from botocore.credentials import Credentials',
      'key, secret, token, region, url, date = json.load(sys.stdin)',
      "auth = S3SigV4QueryAuth(Credentials(key, secret), 's3', region)",
      "request = AWSRequest('GET', url)",
      "request.context['timestamp'] = date",
      'print(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))'
    ]
    const { accessKeyId, secretAccessKey, region } = server.facts
    const signature = address.searchParams.get('X-Amz-Signature')
    address.searchParams.delete('X-Amz-Signature')
    const date = address.searchParams.get('X-Amz-Date')
    const input = JSON.stringify([accessKeyId, secretAccessKey, '', region, address.href, date])
    const expected = execFileSync(s3Python, ['-c', program.join('\n')], { input, encoding: 'utf8' }).trim()
    expect(signature).toBe(expected)
  })
})
