import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createServer } from '../../../lib/server/index.js'
import { root } from '../../support/small-model.js'

/** Node's hooks of a process in which nobody has installed bullmq. */
const RESOLVE = `export async function resolve(name, context, next) {
  if (name === 'bullmq') throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
}`
const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`
const WITHOUT = asModule(`import { register } from 'node:module'; register(${JSON.stringify(asModule(RESOLVE))})`)

test.each(['serve', 'worker'])('%s says which packages are missing, and how to add them', command => {
  const args = [
    '--import',
    WITHOUT,
    join(root, 'dist', 'cli', 'main.js'),
    command,
    '--queue',
    'redis://127.0.0.1:1',
    '--port',
    '0'
  ]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect([status, stderr]).toEqual([2, expect.stringContaining('npm install bullmq@6 ioredis')])
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

test.each(['memory', 'file://host/dir', 's3://bucket', 'relative'])('results cannot be in %s', async results => {
  const expected = { code: 'INVALID_ARGUMENT', subject: 'results' }
  await expect(createServer({ queue: 'redis://127.0.0.1:1', results })).rejects.toMatchObject(expected)
})
