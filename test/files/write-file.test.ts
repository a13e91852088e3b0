import { execFile, execFileSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { writeWhole } from '../../lib/files/write-file.js'

vi.mock(import('node:fs/promises'), async original => {
  const real = await original()
  return { ...real, open: vi.fn(real.open) }
})

const directory = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
afterEach(() => {
  vi.clearAllMocks()
})

test('a name may be as long as the file system allows', async () => {
  const file = join(directory, 'a'.repeat(255))
  await writeWhole(file, Buffer.from('whole'))
  expect(readFileSync(file, 'utf8')).toBe('whole')
})

test.each(['', 'a\0b'])('%j is no path', path =>
  expect(writeWhole(path, Buffer.from('x'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'path' })
)

// What a full disk, a quota and a process at its limits say.
test.each(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'])('%s is typed, and leaves the previous file', async code => {
  const file = join(directory, 'kept')
  writeFileSync(file, 'previous')
  const cause = Object.assign(new Error(code), { code })
  vi.mocked(open).mockRejectedValueOnce(cause)
  await expect(writeWhole(file, Buffer.from('x'))).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', subject: file, cause })
  expect(readFileSync(file, 'utf8')).toBe('previous')
  expect(readdirSync(directory).filter(name => name.endsWith('.tmp'))).toEqual([])
})

test('a link is followed, and a pipe gets the bytes and stays a pipe', async () => {
  const [file, link, pipe] = ['target', 'link', 'pipe'].map(name => join(directory, name)) as [string, string, string]
  writeFileSync(file, 'previous')
  symlinkSync(file, link)
  await writeWhole(link, Buffer.from('new'))
  expect([readFileSync(file, 'utf8'), lstatSync(link).isSymbolicLink()]).toEqual(['new', true])
  execFileSync('mkfifo', [pipe])
  const read = new Promise(resolve => {
    execFile('cat', [pipe], (_, stdout) => resolve(stdout))
  })
  await writeWhole(pipe, Buffer.from('through'))
  expect([await read, lstatSync(pipe).isFIFO()]).toEqual(['through', true])
})

test('what is no refusal comes as Node gives it', async () => {
  const error = await writeWhole(join(directory, 'absent', 'x'), Buffer.from('x')).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ENOENT', syscall: 'open' })
  rmSync(directory, { recursive: true })
})
