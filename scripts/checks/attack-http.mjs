#!/usr/bin/env node
/**
 * The attacks of test/server/robustness on the HTTP side, with more cases than `npm test` has time for:
 * `node scripts/checks/attack-http.mjs [--requests 5000] [--images 2000] [--api 10000]`. The first are malformed requests on raw
 * sockets, the second mutated image files, the third requests that Schemathesis makes from /openapi.json; 0 leaves one out. It
 * ends with 1 for an answer that is not documented, a hang, or memory that is not given back.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { root } from '../setup/paths.mjs'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '5000' },
    images: { type: 'string', default: '2000' },
    api: { type: 'string', default: '10000' }
  }
})
const attacks = [
  { test: 'raw-requests', variable: 'WUERSTCHEN_RAW_CASES', count: values.requests },
  { test: 'hostile-images', variable: 'WUERSTCHEN_IMAGE_CASES', count: values.images },
  { test: 'schemathesis', variable: 'WUERSTCHEN_FUZZ_CASES', count: values.api }
]
let failed = false
for (const { test, variable, count } of attacks) {
  if (!/^\d+$/.test(count)) throw new Error(`Expected a number of cases for ${test} but received ${count}`)
  if (Number(count) === 0) continue
  const { status } = spawnSync('npx', ['vitest', 'run', `test/server/robustness/${test}.test.ts`, '--testTimeout', '1800000'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, [variable]: count }
  })
  failed ||= status !== 0
}
process.exitCode = failed ? 1 : 0
