import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { link, open, rename, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectTarget } from '../../lib/files/target.js'
import { writeWhole } from '../../lib/files/write-file.js'
import { root } from '../support/small-model.js'

vi.mock(import('node:fs/promises'), async original => {
  const real = await original()
  return {
    ...real,
    open: vi.fn(real.open),
    rename: vi.fn(real.rename),
    link: vi.fn(real.link),
    statfs: vi.fn(real.statfs) as unknown as typeof real.statfs
  }
})

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
})
afterEach(() => {
  vi.clearAllMocks()
  rmSync(directory, { recursive: true })
})

const failure = (code: string) => Object.assign(new Error(code), { code })
const place = (name: string) => join(directory, name)
const text = (name: string) => readFileSync(place(name), 'utf8')
const bytes = (content: string) => Buffer.from(content)
const PROGRAM = join(root, 'dist', 'files', 'write-file.js')

test.each(['', 'a\0b'])('%j is no path', path =>
  expect(writeWhole(path, bytes('x'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'path' })
)

// What a full disk, a quota, a limit of sizes and a process at its limits say.
test.each(['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE', 'ENOMEM'])(
  '%s is typed, and leaves the previous file',
  async code => {
    writeFileSync(place('kept'), 'previous')
    const cause = failure(code)
    vi.mocked(open).mockRejectedValueOnce(cause)
    await expect(writeWhole(place('kept'), bytes('x'))).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      subject: place('kept'),
      cause
    })
    expect(text('kept')).toBe('previous')
    expect(readdirSync(directory)).toEqual(['kept'])
  }
)

describe('what cannot be replaced is overwritten in place', () => {
  test.each(['EBUSY', 'EXDEV', 'EPERM', 'EACCES', 'EROFS'])('where a rename says %s', async code => {
    writeFileSync(place('mounted'), 'a longer one', { mode: 0o640 })
    const before = statSync(place('mounted'))
    vi.mocked(rename).mockRejectedValueOnce(failure(code))
    await writeWhole(place('mounted'), bytes('short'))
    expect(text('mounted')).toBe('short')
    expect(statSync(place('mounted'))).toMatchObject({ ino: before.ino, mode: before.mode })
    expect(readdirSync(directory)).toEqual(['mounted'])
  })

  test('and nothing else is', async () => {
    writeFileSync(place('kept'), 'previous')
    vi.mocked(rename).mockRejectedValueOnce(failure('EIO'))
    await expect(writeWhole(place('kept'), bytes('x'))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      cause: { code: 'EIO' }
    })
    expect(text('kept')).toBe('previous')
  })
})

describe('without clobbering', () => {
  test('a file that another process has made in the meantime stays', async () => {
    vi.mocked(link).mockImplementationOnce((from, to) => {
      writeFileSync(to, 'theirs')
      return link(from, to)
    })
    await expect(writeWhole(place('new'), bytes('ours'), { clobber: false })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      cause: { code: 'EEXIST' }
    })
    expect([text('new'), readdirSync(directory)]).toEqual(['theirs', ['new']])
  })

  test('a file system without links does as well', async () => {
    vi.mocked(link).mockRejectedValueOnce(failure('EPERM'))
    await writeWhole(place('new'), bytes('ours'), { clobber: false })
    expect([text('new'), readdirSync(directory)]).toEqual(['ours', ['new']])
  })

  test('of many processes, one makes the file', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd'].map(name => writer('new', name.repeat(1 << 20), { clobber: false })))
    expect(all.filter(code => code === 0)).toHaveLength(1)
    expect(text('new')).toMatch(/^(.)\1{1048575}$/)
    expect(readdirSync(directory)).toEqual(['new'])
  })
})

test('of processes that write one file at a time, the last wins, and no reader sees a part', async () => {
  await writeWhole(place('file'), bytes('0'.repeat(1 << 20)))
  let writing = true
  const all = Promise.all(['1', '2', '3', '4'].map(digit => writer('file', digit.repeat(1 << 20), {}, 10)))
  void all.finally(() => (writing = false))
  while (writing) {
    expect(text('file')).toMatch(/^(.)\1{1048575}$/)
    await setImmediate()
  }
  expect(await all).toEqual([0, 0, 0, 0])
  expect(readdirSync(directory)).toEqual(['file'])
})

/** A process of its own that writes; its exit code. */
async function writer(name: string, content: string, options: object, times = 1): Promise<number> {
  const script = `
    const { writeWhole } = await import(${JSON.stringify(pathToFileURL(PROGRAM).href)})
    const data = Buffer.from(${JSON.stringify(content[0])}.repeat(${content.length}))
    for (let k = 0; k < ${times}; k++) await writeWhole(${JSON.stringify(place(name))}, data, ${JSON.stringify(options)})`
  return await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]).then(
    () => 0,
    ({ code }: { code: number }) => code
  )
}

describe('an abort', () => {
  const reason = new Error('enough')

  test('leaves neither a part of the file nor a temporary one, but the file before', async () => {
    writeFileSync(place('kept'), 'previous')
    const controller = new AbortController()
    const writing = writeWhole(place('kept'), Buffer.alloc(512 << 20), { signal: controller.signal })
    writing.catch(() => {})
    // Half a gigabyte takes hundreds of writes. The abort comes when the first has begun.
    while (readdirSync(directory).length === 1) await setImmediate()
    controller.abort(reason)
    await expect(writing).rejects.toBe(reason)
    expect([text('kept'), readdirSync(directory)]).toEqual(['previous', ['kept']])
  })

  test('frees what ten pipes that nobody reads wait for: they hold no thread', async () => {
    const controller = new AbortController()
    const pipes = Array.from({ length: 10 }, (_, index) => place(`pipe-${index}`))
    execFileSync('mkfifo', pipes)
    const all = Promise.allSettled(pipes.map(pipe => writeWhole(pipe, bytes('x'), { signal: controller.signal })))
    await writeWhole(place('file'), bytes('meanwhile'))
    expect(text('file')).toBe('meanwhile')
    controller.abort(reason)
    expect((await all).every(result => result.status === 'rejected' && result.reason === reason)).toBe(true)
  })

  test.each([
    ['a pipe that nobody reads', 'true', 'through'],
    ['a pipe whose reader is slow', 'sleep 600', 'x'.repeat(1 << 20)]
  ])('ends the wait for %s', async (_, reader, content) => {
    execFileSync('mkfifo', [place('pipe')])
    const child = reader === 'true' ? undefined : execFile('bash', ['-c', `exec ${reader} < "$0"`, place('pipe')])
    const controller = new AbortController()
    const writing = writeWhole(place('pipe'), bytes(content), { signal: controller.signal })
    const state = await Promise.race([writing.then(() => 'written'), promisify(setTimeout)(300).then(() => 'waits')])
    controller.abort(reason)
    await expect(writing).rejects.toBe(reason)
    child?.kill()
    expect(state).toBe('waits')
  })

  test('is what an exit in the middle of a write is', async () => {
    const script = `
      import { readdirSync } from 'node:fs'
      const { writeWhole } = await import(${JSON.stringify(pathToFileURL(PROGRAM).href)})
      void writeWhole(${JSON.stringify(place('never'))}, Buffer.alloc(512 << 20))
      while (readdirSync(${JSON.stringify(directory)}).length === 0) await new Promise(resolve => setImmediate(resolve))
      process.exit()`
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    expect(readdirSync(directory)).toEqual([])
  })
})

test('a reader that leaves early is told by the cause', async () => {
  execFileSync('mkfifo', [place('pipe')])
  const child = execFile('head', ['-c', '10', place('pipe')])
  await expect(writeWhole(place('pipe'), Buffer.alloc(1 << 20))).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    subject: place('pipe'),
    cause: { code: 'EPIPE' }
  })
  child.kill()
})

test("works with the file handles of Yarn's Plug'n'Play, which cannot sync", async () => {
  const handle = await open(place('any'), 'w')
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'sync')
  sync.mockRejectedValue(new Error('Method not implemented.'))
  await handle.close()
  await writeWhole(place('any'), bytes('saved'))
  sync.mockRestore()
  expect(text('any')).toBe('saved')
})

describe('a full disk', () => {
  test('is known before anything is written, if it has less than the least', async () => {
    vi.mocked(statfs).mockResolvedValue({ blocks: 100, bavail: 1, bfree: 1, bsize: 4096 } as Awaited<ReturnType<typeof statfs>>)
    await expect(expectTarget(place('new'), { least: 4097 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      subject: place('new')
    })
    expect(await expectTarget(place('new'), { least: 4096 })).toMatchObject({ kind: 'absent' })
    vi.mocked(statfs).mockReset()
  })

  test.runIf(canMount())('leaves the file before and no temporary one', async () => {
    const disk = place('disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    try {
      writeFileSync(join(disk, 'kept'), 'previous')
      const error = await writeWhole(join(disk, 'kept'), Buffer.alloc(1 << 20)).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', subject: join(disk, 'kept'), cause: { code: 'ENOSPC' } })
      expect([readFileSync(join(disk, 'kept'), 'utf8'), readdirSync(disk)]).toEqual(['previous', ['kept']])
    } finally {
      execFileSync('umount', [disk])
    }
  })
})

test.runIf(canMount())('a file that is mounted, as into a container, is overwritten in place', async () => {
  writeFileSync(place('host'), 'previous')
  writeFileSync(place('mounted'), '')
  execFileSync('mount', ['--bind', place('host'), place('mounted')])
  try {
    await writeWhole(place('mounted'), bytes('new'))
    expect([text('host'), text('mounted')]).toEqual(['new', 'new'])
  } finally {
    execFileSync('umount', [place('mounted')])
  }
})

test.runIf(canMount())('a mounted file on a full disk stays what it was', async () => {
  const disk = place('disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
  writeFileSync(join(disk, 'host'), 'previous')
  writeFileSync(place('mounted'), '')
  execFileSync('mount', ['--bind', join(disk, 'host'), place('mounted')])
  try {
    await expect(writeWhole(place('mounted'), Buffer.alloc(1 << 20))).rejects.toMatchObject({ cause: { code: 'ENOSPC' } })
    expect(text('mounted')).toBe('previous')
    await writeWhole(place('mounted'), bytes('a longer one that fits'))
    expect(text('mounted')).toBe('a longer one that fits')
  } finally {
    execFileSync('umount', [place('mounted')])
    execFileSync('umount', [disk])
  }
})

/** Whether this process may mount. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true })
  }
}
