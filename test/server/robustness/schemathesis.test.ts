import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { root, withDirectory } from '../../support/small-model.js'
import { withListening } from './support/listening.js'
import { settledMemory } from './support/memory.js'
import { SteppingEngine } from './support/stepping-engine.js'

// Everything is the real thing but the engine's arithmetic: see SteppingEngine.
const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native }))

/** How many cases at least; WUERSTCHEN_FUZZ_CASES=10000 makes it the long run of docs/verification.md. */
const CASES = Number(process.env['WUERSTCHEN_FUZZ_CASES'] ?? 2000)
const KEY = 'key-0123456789abcdef'
const MINUTES = 60_000

/** An environment of its own below build/, with what scripts/requirements-fuzz.txt pins; made when it is missing. */
function provideSchemathesis(): string {
  const requirements = join(root, 'scripts', 'requirements-fuzz.txt')
  const [, version] = /^schemathesis==(\S+)$/m.exec(readFileSync(requirements, 'utf8'))!
  const venv = join(root, 'build', 'fuzz-venv')
  const command = join(venv, 'bin', 'schemathesis')
  const isThere = () => existsSync(command) && execFileSync(command, ['--version'], { encoding: 'utf8' }).includes(version!)
  if (!isThere()) {
    execFileSync(process.env['WUERSTCHEN_TEST_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', venv])
    execFileSync(join(venv, 'bin', 'python'), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      requirements
    ])
  }
  return command
}

test(
  `${CASES} requests made from /openapi.json: every answer is one that the document describes`,
  async () => {
    const command = provideSchemathesis()
    await withListening(
      { apiKeys: [`fuzz:${KEY}:admin`], limits: { maxSide: 128, maxImages: 2, maxBodyBytes: 262_144 } },
      async ({ app, url }) =>
        withDirectory(async directory => {
          let cases = 0
          for (let seed = 1; cases < CASES; seed++) {
            const { code, output } = await run(
              command,
              [
                '--config-file',
                join(root, 'test', 'server', 'robustness', 'schemathesis.toml'),
                'run',
                `${url}/openapi.json`,
                '--header',
                `Authorization: Bearer ${KEY}`,
                '--seed',
                String(seed),
                '--no-color',
                '--generation-database',
                'none'
              ],
              directory
            )
            expect(code, output.slice(-8000)).toBe(0)
            cases += Number(/^\s*(\d+) generated/m.exec(output)![1])
          }
          const { heap } = await settledMemory()
          expect(heap).toBeLessThan(512 * 1024 * 1024)
          expect(engine.liveTensors.size).toBe(0)
          expect(app.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, running: 0, inputBytes: 0 })
          const { data } = (await (
            await fetch(`${url}/v1/images/generations`, {
              method: 'POST',
              body: '{"prompt":"x"}',
              headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
            })
          ).json()) as { data: unknown[] }
          expect(data).toHaveLength(1)
        })
    )
  },
  10 * MINUTES + CASES * 100
)

function run(command: string, args: string[], cwd: string): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(command, args, { cwd, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr })
    )
  })
}
