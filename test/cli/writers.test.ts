import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, GeneratedImage, Tensor } from '../../lib/index.js'
import { runCommandLine, runScript } from '../support/child.js'
import { smallModel } from '../support/small-model.js'

/** What every writer has to leave as it should be, whatever stands under the name. The system says what stands there. */

const SIDE = 128
const NOBODY = 65534
const QUICK = ['--width', '128', '--height', '128', '--prior-steps', '1', '--decoder-steps', '1', '--threads', '1', '--seed', '5']

const image = new GeneratedImage(
  { width: SIDE, height: SIDE, data: Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, index) => (index * 31) % 251) },
  {
    prompt: 'a cat',
    negativePrompt: '',
    width: SIDE,
    height: SIDE,
    seed: 1,
    decoderGuidanceScale: 0,
    model: { name: 'small', hash: '0'.repeat(64) },
    device: 'cpu',
    dtype: 'float32',
    versions: { wuerstchen: '0.1.0', torch: '2.13.0' },
    rng: 'torch-cpu'
  }
)

let base: string
let socket: string
let embeddings: Embeddings
const server = createServer()
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'wuerstchen-writers-'))
  socket = join(base, 'socket')
  await once(server.listen(socket), 'listening')
  embeddings = Embeddings.from(Tensor.from(new Float32Array(16 * 3 * 3).fill(0.5), [1, 16, 3, 3]))
  await embeddings.toFile(join(base, 'from.safetensors'))
})
afterAll(() => {
  server.close()
  embeddings.dispose()
  rmSync(base, { recursive: true })
})

const command = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCommandLine(args, { cwd: base, env: { WUERSTCHEN_MODEL: smallModel } })
  if (code !== 0) throw Object.assign(new Error(stderr), { code: `exit ${code}`, stdout: stdout.toString() })
}

interface Writer {
  name: string
  extension: string
  write: (path: string) => Promise<void>
  /** The code of an error for a path that cannot be written to. */
  refusal: string
}

const WRITERS: Writer[] = [
  { name: 'an image', extension: '.png', write: path => image.toFile(path, { format: 'png' }), refusal: 'INVALID_ARGUMENT' },
  { name: 'embeddings', extension: '.safetensors', write: path => embeddings.toFile(path), refusal: 'INVALID_ARGUMENT' },
  {
    name: 'generate',
    extension: '.png',
    write: path => command('generate', 'a cat', ...QUICK, '-o', path),
    refusal: 'exit 2'
  },
  { name: 'mix', extension: '.safetensors', write: path => command('mix', 'from.safetensors', '-o', path), refusal: 'exit 2' }
]

describe.each(WRITERS)('$name', ({ name, extension, write, refusal }) => {
  let folder: string
  let file: string
  let whole: Buffer
  beforeAll(async () => {
    folder = join(base, name.replace(' ', '-'))
    mkdirSync(folder)
    file = join(folder, `plain${extension}`)
    await write(file)
    whole = readFileSync(file)
  })

  const at = (text: string) => join(folder, text + extension)

  test('makes a file that is what the user is used to', () => {
    expect(whole.length).toBeGreaterThan(500)
    expect(statSync(file).mode & 0o777).toBe(0o666 & ~process.umask())
    expect(readdirSync(folder)).toEqual([`plain${extension}`])
  })

  test('gives a pipe the bytes, and leaves it one', async () => {
    execFileSync('mkfifo', [at('pipe')])
    const read = new Promise<Buffer>(resolve => {
      execFile('cat', [at('pipe')], { encoding: 'buffer' }, (_, stdout) => resolve(stdout))
    })
    await write(at('pipe'))
    expect((await read).equals(whole)).toBe(true)
    expect(lstatSync(at('pipe')).isFIFO()).toBe(true)
  })

  test('follows links, also to a file that is not there yet', async () => {
    mkdirSync(at('far'))
    writeFileSync(join(at('far'), 'old'), 'previous')
    symlinkSync(join(at('far'), 'old'), at('link'))
    symlinkSync(at('link'), at('second'))
    symlinkSync(`far${extension}/new`, at('dangling'))
    for (const [link, target] of Object.entries({ second: 'old', dangling: 'new' })) {
      await write(at(link))
      expect(lstatSync(at(link)).isSymbolicLink()).toBe(true)
      expect(readFileSync(join(at('far'), target)).equals(whole)).toBe(true)
    }
    expect(readdirSync(at('far'))).toEqual(['new', 'old'])
  })

  test('keeps mode and owner, and the other name of a file its bytes', async () => {
    writeFileSync(at('mine'), 'previous')
    linkSync(at('mine'), at('other'))
    chmodSync(at('mine'), 0o600)
    if (process.getuid?.() === 0) chownSync(at('mine'), NOBODY, NOBODY)
    const before = statSync(at('mine'))
    await write(at('mine'))
    expect(readFileSync(at('mine')).equals(whole)).toBe(true)
    expect(statSync(at('mine'))).toMatchObject({ mode: before.mode, uid: before.uid, gid: before.gid })
    expect(readFileSync(at('other'), 'utf8')).toBe('previous')
  })

  test('takes a name as long as one may be, and any other', async () => {
    const longest = 'ü'.repeat(100).padEnd(255 - 100 - extension.length, 'x')
    for (const text of [longest, '-o', 'two\nlines "and" $HOME']) {
      await write(at(text))
      expect(readFileSync(at(text)).equals(whole)).toBe(true)
    }
    await expect(write(at(`${longest}x`))).rejects.toMatchObject({ code: refusal })
  })

  test('gives a device the bytes', async () => {
    await write('/dev/null')
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  test.each([
    ['a folder', () => (mkdirSync(at('folder')), at('folder'))],
    ['a name with a slash at its end', () => `${at('slash')}/`],
    ['a file in a folder that is not there', () => join(folder, 'no', `where${extension}`)],
    ['a file in what is no folder', () => join(file, `x${extension}`)],
    ['links that lead to each other', () => (symlinkSync(at('loop'), at('loop')), at('loop'))],
    ['a socket', () => (symlinkSync(socket, at('socket')), at('socket'))]
  ])('refuses %s, and leaves nothing', async (_, prepare) => {
    const path = prepare()
    const before = readdirSync(folder)
    await expect(write(path)).rejects.toMatchObject({ code: refusal })
    expect(readdirSync(folder)).toEqual(before)
  })
})

/** A file descriptor that the shell opens. */
test.each([
  ['>(…)', 'set -o pipefail; CALL -o >(cat > out.bin); wait $!'],
  ['/dev/fd/3, behind what is there', 'exec 3> out.bin; printf "" >&3; CALL -o /dev/fd/3 >&2'],
  ['/dev/stdout, of a file', 'CALL -o /dev/stdout > out.bin'],
  ['/dev/stdout, of a pipe', 'CALL -o /dev/stdout | cat > out.bin'],
  ['-', 'CALL -o - | cat > out.bin']
])('%s gets the bytes of an image and no others', (_, script) => {
  const cli = [process.execPath, join(import.meta.dirname, '../../dist/cli/main.js'), 'generate', 'a-cat', ...QUICK]
  rmSync(join(base, 'out.bin'), { force: true })
  execFileSync('bash', ['-c', script.replace('CALL', `${cli.join(' ')} --format png`)], {
    cwd: base,
    env: { ...process.env, WUERSTCHEN_MODEL: smallModel },
    stdio: ['ignore', 'ignore', 'ignore']
  })
  const written = readFileSync(join(base, 'out.bin'))
  expect(written.subarray(1, 4).toString()).toBe('PNG')
  expect(written.subarray(-8, -4).toString()).toBe('IEND')
})

test('a descriptor is written to from where it stands', async () => {
  const path = join(base, 'both')
  const descriptor = openSync(path, 'w')
  writeFileSync(descriptor, 'before ')
  await embeddings.toFile(`/dev/fd/${descriptor}`)
  closeSync(descriptor)
  expect(readFileSync(path).equals(Buffer.concat([Buffer.from('before '), await embeddings.toBuffer()]))).toBe(true)
})

/** The administrator may do everything, so these are tried as somebody else. */
test('of files that may not be replaced or written to, one is overwritten and one refused', async () => {
  const folder = join(base, 'guarded')
  mkdirSync(folder)
  for (const [name, mode] of Object.entries({ open: 0o666, shut: 0o444 })) {
    writeFileSync(join(folder, name), 'previous, and long enough to be cut')
    chmodSync(join(folder, name), mode)
  }
  const own = join(base, 'own')
  mkdirSync(own, { mode: 0o777 })
  chmodSync(own, 0o777)
  writeFileSync(join(own, 'shut'), 'previous')
  chmodSync(join(own, 'shut'), 0o444)
  // Its owner could replace it.
  if (process.getuid?.() === 0) chownSync(join(own, 'shut'), NOBODY, NOBODY)
  const before = [statSync(join(folder, 'open')).ino, statSync(folder).mode]
  chmodSync(folder, 0o555)
  chmodSync(base, 0o755)
  const { stdout, stderr } = await runScript(`
    const embeddings = wuerstchen.Embeddings.from(Tensor.from(new Float32Array(16), [1, 16, 1, 1]))
    await embeddings.toBuffer()
    if (process.getuid() === 0) { process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY}) }
    const codes = {}
    for (const path of ${JSON.stringify([join(folder, 'open'), join(folder, 'shut'), join(folder, 'new'), join(own, 'shut')])})
      codes[path.slice(${base.length + 1})] = await embeddings.toFile(path).then(() => 'written', error => error.code + ' ' + error.cause.code)
    console.log(JSON.stringify(codes))`)
  chmodSync(folder, 0o755)
  expect(JSON.parse(stdout.toString() || '{}'), stderr).toEqual({
    'guarded/open': 'written',
    'guarded/shut': 'INVALID_ARGUMENT EACCES',
    'guarded/new': 'INVALID_ARGUMENT EACCES',
    'own/shut': 'INVALID_ARGUMENT EACCES'
  })
  expect([statSync(join(folder, 'open')).ino, statSync(folder).mode]).toEqual(before)
  expect(readFileSync(join(own, 'shut'), 'utf8')).toBe('previous')
  expect(readdirSync(folder)).toEqual(['open', 'shut'])
})
