import { expect, test } from 'vitest'
import { boundOneDnnCache } from '../../lib/load/onednn.js'
import { boundOpenMpSpinning } from '../../lib/load/openmp.js'
import { runScript } from '../support/child.js'

test.each([
  [boundOpenMpSpinning, {}, { GOMP_SPINCOUNT: '10000' }],
  [boundOpenMpSpinning, { OMP_WAIT_POLICY: 'ACTIVE' }, { OMP_WAIT_POLICY: 'ACTIVE' }],
  [boundOpenMpSpinning, { GOMP_SPINCOUNT: '9' }, { GOMP_SPINCOUNT: '9' }],
  [boundOneDnnCache, {}, { ONEDNN_PRIMITIVE_CACHE_CAPACITY: '512' }],
  [boundOneDnnCache, { ONEDNN_PRIMITIVE_CACHE_CAPACITY: '7' }, { ONEDNN_PRIMITIVE_CACHE_CAPACITY: '7' }],
  [boundOneDnnCache, { DNNL_PRIMITIVE_CACHE_CAPACITY: '7' }, { DNNL_PRIMITIVE_CACHE_CAPACITY: '7' }]
])('%o turns %j into %j', (set, before, after) => {
  const environment: NodeJS.ProcessEnv = { ...before }
  set(environment)
  expect(environment).toEqual(after)
})

test('loading the addon sets both, before LibTorch is there', async () => {
  const script = `
    for (const name of ['OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'ONEDNN_PRIMITIVE_CACHE_CAPACITY', 'DNNL_PRIMITIVE_CACHE_CAPACITY']) delete process.env[name]
    Tensor.from(new Float32Array(1), [1]).dispose()
    console.log(process.env.GOMP_SPINCOUNT, process.env.ONEDNN_PRIMITIVE_CACHE_CAPACITY)`
  expect(await runScript(script)).toMatchObject({ code: 0, stdout: Buffer.from('10000 512\n') })
})
