import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { PlainFile } from '../../lib/files/plain-file.js'
import { Pipeline } from '../../lib/index.js'
import { withModelCopy } from '../support/small-model.js'

const open = PlainFile.open.bind(PlainFile)

/** Loads a copy of the model as where times of files are known so far only: Deno's are whole milliseconds. */
async function loadWith(time: (nanoseconds: bigint) => bigint): Promise<void> {
  using _opened = vi.spyOn(PlainFile, 'open').mockImplementation(async (...args) => {
    const file = await open(...args)
    const [dev, ino, size, modified] = file.stamp.split(',')
    Object.defineProperty(file, 'stamp', { value: [dev, ino, size, time(BigInt(modified!))].join() })
    vi.spyOn(file, 'expectUnchanged').mockResolvedValue()
    return file
  })
  await withModelCopy(async directory => {
    // A time that is no whole millisecond.
    for (const name of ['prior', 'decoder']) utimesSync(join(directory, `${name}.float32.cpu.pt`), 1e9, 1_600_000_000.123456)
    await using _pipeline = await Pipeline.load(directory)
  })
}

const MILLISECOND = 1_000_000n

test('a program is the one that was hashed, where times are whole milliseconds too', async () => {
  await loadWith(time => time - (time % MILLISECOND))
})

test.each([
  ['another millisecond', (time: bigint) => time - (time % MILLISECOND) + MILLISECOND],
  ['another nanosecond', (time: bigint) => time + 1n]
])('a program with %s is another', async (_name, time) => {
  await expect(loadWith(time)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
})
