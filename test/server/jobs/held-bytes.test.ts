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
const refusedFor = (subject: string) => expect.objectContaining({ name: 'WuerstchenError', code: 'QUEUE_FULL', subject })

test('a body counts as it grows, until its reply is over', async () => {
  const held = new HeldBytes(1000, 1000)
  const reply = open()
  const charge = held.open('ann', reply.promise)
  expect(held.bytes).toBe(0)
  charge.growTo(300)
  charge.growTo(700)
  charge.growTo(500)
  expect([held.bytes, charge.bytes, held.bytesOf('ann')]).toEqual([700, 700, 700])
  reply.settle()
  await turn()
  expect([held.bytes, held.bytesOf('ann')]).toEqual([0, 0])
  charge.growTo(900)
  expect(held.bytes).toBe(0)
})

test('more than there is room for is refused, and counts for nothing', async () => {
  const held = new HeldBytes(1000, 1000)
  const first = open()
  held.open('ann', first.promise).growTo(700)
  const second = held.open('bob', open().promise)
  expect(() => second.growTo(301)).toThrow(refusedFor('maxHeldBytes'))
  second.growTo(300)
  expect(held.bytes).toBe(1000)
  first.settle()
  await turn()
  expect(held.bytes).toBe(300)
})

test('one owner has no more than its share, and leaves the others theirs', () => {
  const held = new HeldBytes(1000, 600)
  const charges = Array.from({ length: 16 }, () => held.open('ann', open().promise))
  expect(() => {
    for (let bytes = 10; ; bytes += 10) for (const charge of charges) charge.growTo(bytes)
  }).toThrow(refusedFor('maxHeldBytesPerKey'))
  expect(held.bytesOf('ann')).toBeLessThanOrEqual(600)
  held.open('bob', open().promise).growTo(400)
})

test('a body that has become work is held no longer itself, and the inputs until the job ends', async () => {
  const held = new HeldBytes(1000, 1000)
  const [reply, job] = [open(), open()]
  const charge = held.open('ann', reply.promise)
  charge.growTo(800)
  charge.becomeWork(600, job.promise)
  expect(held.bytes).toBe(600)
  reply.settle()
  await turn()
  expect(held.bytes).toBe(600)
  job.settle()
  await turn()
  expect(held.bytes).toBe(0)
})

test('work that is refused holds nothing, nor does what it left', async () => {
  const held = new HeldBytes(1000, 1000)
  const [reply, refused] = [open(), open()]
  const charge = held.open('ann', reply.promise)
  charge.growTo(800)
  charge.becomeWork(500, refused.promise)
  refused.fail()
  await turn()
  expect(held.bytes).toBe(0)
  reply.settle()
  await turn()
  expect(held.bytes).toBe(0)
})

test('what is there already counts, though there is no room for it', async () => {
  const held = new HeldBytes(1000, 500)
  const reply = open()
  held.count('ann', 1500, reply.promise)
  expect(held.bytes).toBe(1500)
  expect(() => held.expectRoom('bob', 1)).toThrow(refusedFor('maxHeldBytes'))
  reply.settle()
  await turn()
  expect(held.bytes).toBe(0)
  held.expectRoom('bob', 500)
})
