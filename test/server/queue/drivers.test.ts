import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createServer } from '../../../lib/server/index.js'
import { RedisServer } from '../../support/queues.js'
import { root } from '../../support/small-model.js'

/** Node's hooks of a process in which nobody has installed drivers. */
const RESOLVE = `export async function resolve(name, context, next) {
  if (['ioredis', 'pg'].includes(name)) throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
}`
const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`
const WITHOUT = asModule(`import { register } from 'node:module'; register(${JSON.stringify(asModule(RESOLVE))})`)

test.each([
  ['serve', 'redis://127.0.0.1:1', 'ioredis@5'],
  ['worker', 'redis://127.0.0.1:1', 'ioredis@5'],
  ['serve', 'postgres://127.0.0.1:1/d', 'pg@8'],
  ['worker', 'postgresql://127.0.0.1:1/d', 'pg@8']
])('%s says which packages are missing for %s, and how to add them', (command, queue, driver) => {
  const args = ['--import', WITHOUT, join(root, 'dist', 'cli', 'main.js'), command, '--queue', queue, '--port', '0']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect([status, stderr]).toEqual([2, expect.stringContaining(`npm install bullmq@6 ${driver} adds them`)])
})

test.each([
  ['models', { models: { tiny: 'models/tiny' } }],
  ['pipeline', { pipeline: { threads: 1 } }]
])('%s are the matter of workers', async (subject, options) => {
  await expect(createServer({ queue: 'redis://127.0.0.1:1', ...options })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    subject
  })
})

test.each(['--threads=1', '--device=cpu', '--no-verify', '--model=models/tiny'])('serve says by its flag that %s is', flag => {
  const args = [join(root, 'dist', 'cli', 'main.js'), 'serve', '--queue', 'redis://127.0.0.1:1', flag]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const said = `Expected nothing beside a queue, whose workers have the models, for ${flag.split('=')[0]!} but`
  expect([status, stderr]).toEqual([2, expect.stringContaining(said)])
})

test('a place that cannot be written to is told with the reason of the system', async () => {
  const redis = await RedisServer.start()
  try {
    const open = createServer({ queue: redis.url, results: 'file:///proc/nowhere' })
    await expect(open).rejects.toMatchObject({ message: expect.stringMatching(/it does not work \(E[A-Z]+\)/) })
  } finally {
    await redis.stop()
  }
})

test.each(['memory', 'file://host/dir', 's3://bucket', 'relative'])('results cannot be in %s', async results => {
  const expected = { code: 'INVALID_ARGUMENT', subject: 'results' }
  await expect(createServer({ queue: 'redis://127.0.0.1:1', results })).rejects.toMatchObject(expected)
})
