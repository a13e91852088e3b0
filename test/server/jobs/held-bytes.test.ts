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
  const held = new HeldBytes(1_000_000, 1_000_000)
  const reply = open()
  const charge = held.open('ann', reply.promise)
  expect(held.bytes).toBe(0)
  charge.growTo(300_000)
  charge.growTo(700_000)
  charge.growTo(500_000)
  expect([held.bytes, charge.bytes, held.bytesOf('ann')]).toEqual([700_000, 700_000, 700_000])
  // Byte by byte it grows in steps.
  for (let bytes = 700_001; bytes < 700_100; bytes++) charge.growTo(bytes)
  expect(held.bytes).toBe(700_000 + 16 * 1024)
  reply.settle()
  await turn()
  expect([held.bytes, held.bytesOf('ann')]).toEqual([0, 0])
  charge.growTo(900_000)
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
  const held = new HeldBytes(1_000_000, 600_000)
  const charges = Array.from({ length: 16 }, () => held.open('ann', open().promise))
  expect(() => {
    for (let bytes = 1; ; bytes += 1000) for (const charge of charges) charge.growTo(bytes)
  }).toThrow(refusedFor('maxHeldBytesPerKey'))
  expect(held.bytesOf('ann')).toBeLessThanOrEqual(600_000)
  held.open('bob', open().promise).growTo(400_000)
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
