import { expect, test } from 'vitest'
import { HeldBytes } from '../../../lib/server/jobs/held-bytes.js'

/** A promise that the test settles. */
function open() {
  let [settle, fail]: (() => void)[] = []
  const promise = new Promise<void>((resolve, reject) => {
    settle = resolve
    fail = () => reject(new Error('refused'))
  })
  return { promise, settle: settle!, fail: fail! }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('a body is held until its reply is over', async () => {
  const held = new HeldBytes(1000)
  const reply = open()
  held.charge(700, reply.promise)
  expect(held.bytes).toBe(700)
  reply.settle()
  await turn()
  expect(held.bytes).toBe(0)
})

test('more than there is room for is refused, and counts for nothing', async () => {
  const held = new HeldBytes(1000)
  const first = open()
  held.charge(700, first.promise)
  expect(() => held.charge(301, open().promise)).toThrow(
    expect.objectContaining({ name: 'WuerstchenError', code: 'QUEUE_FULL', subject: 'maxHeldBytes' })
  )
  held.charge(300, open().promise)
  expect(held.bytes).toBe(1000)
  first.settle()
  await turn()
  expect(held.bytes).toBe(300)
})

test('a job takes over what it holds of a body, which is never counted twice', async () => {
  const held = new HeldBytes(1000)
  const [reply, job] = [open(), open()]
  const charge = held.charge(800, reply.promise)
  charge.hold(600, job.promise)
  expect(held.bytes).toBe(800)
  reply.settle()
  await turn()
  expect(held.bytes).toBe(600)
  job.settle()
  await turn()
  expect(held.bytes).toBe(0)
})

test('a job that ends before its reply leaves the body to it, and one that is refused holds nothing', async () => {
  const held = new HeldBytes(1000)
  const [reply, job, refused] = [open(), open(), open()]
  const charge = held.charge(800, reply.promise)
  charge.hold(600, job.promise)
  charge.hold(500, refused.promise)
  job.settle()
  refused.fail()
  await turn()
  expect(held.bytes).toBe(800)
  reply.settle()
  await turn()
  expect(held.bytes).toBe(0)
})
