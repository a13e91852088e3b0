import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProgram } from '../../lib/cli/program.js'
import { runCommandLine } from '../support/child.js'
import { runPython } from '../support/python.js'
import { root } from '../support/small-model.js'

let cwd: string
let stub: ChildProcess
let endpoint: string

/** The part of test/export/hub_stub.py's log that is looked at here. */
interface Entry {
  path: string
  sent: number
  range: string | null
}

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'wuerstchen-pull-'))
  const options = ['--config', 'small', '--seed', '20', '--out', join(cwd, 'published')]
  await runPython(['-m', 'models.random_checkpoint', ...options])
  const python = process.env['WUERSTCHEN_TEST_PYTHON']!
  stub = spawn(python, [join(root, 'test', 'export', 'hub_stub.py'), join(cwd, 'published')], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = (await once(createInterface(stub.stdout!), 'line')) as [string]
  endpoint = (JSON.parse(line) as { endpoint: string }).endpoint
})

afterAll(() => {
  stub.kill()
  rmSync(cwd, { recursive: true })
})

const environment = () => ({
  HF_ENDPOINT: endpoint,
  HF_HOME: join(cwd, 'home'),
  HF_HUB_OFFLINE: '',
  HF_TOKEN: '',
  OMP_NUM_THREADS: '1'
})
const run = (...args: string[]) => runCommandLine(args, { cwd, env: environment() })
const logged = async () => (await (await fetch(`${endpoint}/stub/log`)).json()) as Entry[]
const json = (text: Buffer) => JSON.parse(text.toString()) as Record<string, unknown>

test('the flags are those of scripts/pull.py', async () => {
  const help = await runPython(['pull.py', '--help'])
  const theirs = new Set(help.match(/--[a-z][a-z-]*/g))
  const command = createProgram().commands.find(each => each.name() === 'pull')!
  expect(new Set([...command.options.map(({ long }) => long), '--help'])).toEqual(theirs)
})

test('Ctrl-C ends with 130, and the next pull goes on where it stopped', async () => {
  const weights = 'decoder/diffusion_pytorch_model.safetensors'
  const fault = { path: weights, kind: 'stall', after: 400_000, method: 'CDN' }
  await fetch(`${endpoint}/stub/faults`, { method: 'POST', body: JSON.stringify(fault) })
  const args = ['pull', 'warp-ai/wuerstchen', '--out', 'checkpoint', '--json']
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], {
    cwd,
    env: { ...process.env, ...environment() },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  while (!(await logged()).some(({ sent }) => sent === 400_000)) expect(child.exitCode).toBeNull()
  // To this process alone, as `kill` does: it is passed on.
  child.kill('SIGINT')
  expect(await once(child, 'close')).toEqual([130, null])
  expect(JSON.parse(stdout)).toEqual({ error: { code: 'INTERRUPTED', message: 'Interrupted', subject: null } })
  expect(existsSync(join(cwd, 'checkpoint'))).toBe(false)

  const { code, stderr } = await runCommandLine(args, { cwd, env: environment() })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const size = readFileSync(join(cwd, 'published', 'decoder', weights)).length
  const parts = (await logged()).filter(({ path, sent }) => path.startsWith('/cdn/') && [400_000, size - 400_000].includes(sent))
  expect(parts.at(-1)).toMatchObject({ range: 'bytes=400000-', sent: size - 400_000 })
})

test("Python finds the script's modules with PYTHONSAFEPATH too", async () => {
  const env = { ...environment(), PYTHONSAFEPATH: '1' }
  const { code, stdout } = await runCommandLine(['pull', 'nope', '--out', 'nothing', '--json'], { cwd, env })
  expect([code, json(stdout)]).toMatchObject([2, { error: { code: 'INVALID_ARGUMENT', subject: 'nope' } }])
})

test('failures are JSON with a code and a subject, and have their exit codes', async () => {
  const missing = await run('pull', 'nobody/nothing', '--out', 'nothing', '--json')
  expect([missing.code, json(missing.stdout)]).toMatchObject([
    1,
    { error: { code: 'MODEL_NOT_FOUND', subject: 'nobody/nothing' } }
  ])
  const there = await run('pull', 'warp-ai/wuerstchen', '--out', 'published', '--json')
  expect([there.code, json(there.stdout)]).toMatchObject([2, { error: { code: 'INVALID_ARGUMENT', subject: 'out' } }])
  expect((await run('pull', 'warp-ai/wuerstchen')).code).toBe(2)
})

test('from the hub to an image, and what the model directory says of itself', async () => {
  const pulled = await run(
    'pull',
    'warp-ai/wuerstchen',
    '--export',
    '--dtype',
    'float16',
    '--out',
    'model',
    '--default-size',
    '128x128'
  )
  expect({ code: pulled.code, stdout: pulled.stdout.toString() }).toEqual({ code: 0, stdout: 'model/wuerstchen.json\n' })
  expect(pulled.stderr).toMatch('licence mit')
  const options = ['--prior-steps', '2', '--decoder-steps', '1', '--threads', '1', '--quiet', '-o', 'cat.png']
  expect((await run('generate', 'a cat', '--model', 'model', '--device', 'cpu', ...options)).code).toBe(0)
  expect(await sharp(join(cwd, 'cat.png')).metadata()).toMatchObject({ width: 128, height: 128, format: 'png' })
  const { stdout } = await run('inspect', 'model')
  expect(stdout.toString()).toMatch(`decoder, 188,760 parameters
  from warp-ai/wuerstchen at commit c3da41406ddd4d9c48c49aa93981a82354351b83 (mit)`)
}, 240_000)
