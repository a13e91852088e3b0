import { createHash } from 'node:crypto'
import { appendFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { PlainFile, readPlainFile } from '../../lib/files/plain-file.js'
import { openVerified } from '../../lib/model/verify.js'
import { withDirectory } from '../support/small-model.js'

/** More than one read, and no multiple of one. */
const BYTES = Buffer.from(Array.from({ length: 2_500_001 }, (_, index) => (index * 7919) % 256))
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const withFile = (body: (path: string) => Promise<void>, bytes = BYTES) =>
  withDirectory(async directory => {
    const path = join(directory, 'file')
    writeFileSync(path, bytes)
    await body(path)
  })

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a plain file', () => {
  test.each([0, 1, 1 << 20, (1 << 20) + 1, BYTES.length])('of %d bytes is read and hashed whole', size =>
    withFile(
      async path => {
        const bytes = BYTES.subarray(0, size)
        const [read, hashed] = [createHash('sha256'), createHash('sha256')]
        await using file = await PlainFile.open(path)
        expect(Buffer.compare(await file.read(size, { hash: read }), bytes)).toBe(0)
        await file.hashInto(hashed)
        expect([read.digest('hex'), hashed.digest('hex')]).toEqual([sha256(bytes), sha256(bytes)])
        await file.expectUnchanged()
      },
      BYTES.subarray(0, size)
    )
  )

  test('with a byte too much is not read', () =>
    withFile(async path => {
      await expect(readPlainFile(path, BYTES.length - 1)).rejects.toMatchObject({ kind: 'large' })
    }))

  test('stays the file that was opened, whatever takes its name', () =>
    withFile(async path => {
      await using file = await PlainFile.open(path)
      writeFileSync(`${path}.new`, 'something else')
      renameSync(`${path}.new`, path)
      expect(Buffer.compare(await file.read(BYTES.length), BYTES)).toBe(0)
    }))

  test.each<[string, (path: string) => void, RegExp]>([
    ['longer', path => appendFileSync(path, 'x'), /longer/],
    ['shorter', path => truncateSync(path, 10), /shorter/]
  ])('that becomes %s is refused', (_name, change, message) =>
    withFile(async path => {
      await using file = await PlainFile.open(path)
      change(path)
      await expect(file.read(2 * BYTES.length)).rejects.toMatchObject({
        kind: 'changed',
        message: expect.stringMatching(message)
      })
      await expect(file.hashInto(createHash('sha256'))).rejects.toMatchObject({ kind: 'changed' })
      await expect(file.expectUnchanged()).rejects.toMatchObject({ kind: 'changed' })
    })
  )

  test('ends with the reason of an abort, before and between reads', () =>
    withFile(async path => {
      const reason = new Error('enough')
      await expect(readPlainFile(path, BYTES.length, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const controller = new AbortController()
      const hash = createHash('sha256')
      vi.spyOn(hash, 'update').mockImplementation(() => {
        controller.abort(reason)
        return hash
      })
      await expect(readPlainFile(path, BYTES.length, { signal: controller.signal, hash })).rejects.toBe(reason)
      expect(hash.update).toHaveBeenCalledTimes(1)
    }))
})

test('a program that is written to while it is hashed is MODEL_INVALID, also if it gets its old size and times back', () =>
  withFile(async path => {
    const request = {
      directory: join(path, '..'),
      facts: { file: 'file', size: BYTES.length, sha256: sha256(BYTES) },
      check: true
    }
    const hashInto = PlainFile.prototype.hashInto
    vi.spyOn(PlainFile.prototype, 'hashInto').mockImplementation(async function (this: PlainFile, hash, signal) {
      await hashInto.call(this, hash, signal)
      writeFileSync(path, Buffer.from(BYTES).reverse())
      utimesSync(path, 1, 1)
    })
    await expect(openVerified(request)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/it changed while it was read/)
    })
  }))
