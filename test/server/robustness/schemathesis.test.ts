import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { fuzzVenv } from '../../../scripts/setup/fuzzer.mjs'
import { root, withDirectory } from '../../support/small-model.js'
import { withListening } from './support/listening.js'
import { settledMemory } from './support/memory.js'
import { SteppingEngine } from './support/stepping-engine.js'

// Everything is the real thing but the engine's arithmetic: see SteppingEngine.
const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))

/** How many cases at least; WUERSTCHEN_FUZZ_CASES=10000 makes it the long run of docs/verification.md. */
const CASES = Number(process.env['WUERSTCHEN_FUZZ_CASES'] ?? 2000)
const KEY = 'key-0123456789abcdef'
const MINUTES = 60_000

/** `npm run setup -- --tests` installs it. */
const COMMAND = join(fuzzVenv, 'bin', 'schemathesis')

test(
  `${CASES} requests made from /openapi.json: every answer is one that the document describes`,
  async () => {
    await withListening(
      { apiKeys: [`fuzz:${KEY}:admin`], limits: { maxSide: 128, maxImages: 2, maxBodyBytes: 262_144 } },
      async ({ app, url }) =>
        withDirectory(async directory => {
          let cases = 0
          for (let seed = 1; cases < CASES; seed++) {
            const { code, output } = await run(
              COMMAND,
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
          expect(await app.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, running: 0, inputBytes: 0 })
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
