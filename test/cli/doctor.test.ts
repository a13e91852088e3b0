import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { doctorText } from '../../lib/cli/doctor.js'
import { problems } from '../../lib/doctor/problems.js'
import { machineReport, type Report } from '../../lib/doctor/report.js'
import { javascriptRuntime } from '../../lib/load/javascript-runtime.js'
import { versionIn } from '../../lib/install/libtorch.mjs'

const healthy: Report = {
  wuerstchen: '0.1.0',
  javascript: { name: 'Node', version: '22.14.0' },
  node: '22.14.0',
  platform: 'linux',
  arch: 'x64',
  glibc: '2.36',
  cpu: { model: 'Some CPU', cores: 4, features: ['avx2', 'fma'] },
  memoryBytes: 8 * 2 ** 30,
  addon: { path: '/p/wuerstchen.node', found: [{ path: '/p/wuerstchen.node', builtFor: '2.13.0' }], diagnosis: null },
  libtorch: {
    wanted: '2.11 to 2.15',
    version: '2.13.0',
    directory: '/torch',
    source: 'the last set-up',
    cuda: false,
    tried: []
  },
  runtime: {
    torchVersion: '2.13.0',
    cpuCapability: 'AVX2',
    threads: 4,
    cuda: { built: false, available: false, devices: 0, reason: 'this LibTorch is a CPU build', architectures: [] }
  },
  gpus: { found: [], reason: 'no nvidia-smi, so no NVIDIA driver' },
  model: {
    directory: '/m',
    name: 'small',
    error: null,
    batches: { '128x128': 8, '256x256': 4 },
    artefacts: [
      { stage: 'prior', file: 'prior.pt', dtype: 'float32', device: 'cpu', used: true, misfit: null, verified: true },
      {
        stage: 'prior',
        file: 'prior.cuda.pt',
        dtype: 'float16',
        device: 'cuda',
        used: false,
        misfit: 'made for cuda, not cpu',
        verified: true
      },
      {
        stage: 'prior',
        file: 'compiled/prior-step-float16-cuda-9.0.so',
        dtype: 'float16',
        device: 'cuda',
        used: false,
        misfit: null,
        verified: false
      }
    ]
  },
  sharp: { version: '0.35.5', libvips: '8.18.7' }
}

describe('the text of doctor', () => {
  test('of a healthy machine names everything and marks the files that are used', () => {
    const text = doctorText(healthy, problems(healthy))
    expect(text).toContain('2.13.0 in /torch')
    expect(text).toContain('AVX2, 4 threads')
    expect(text).toContain('none usable: this LibTorch is a CPU build; no nvidia-smi')
    expect(text).toContain('* prior: prior.pt\n')
    expect(text).toContain('  prior: prior.cuda.pt (made for cuda, not cpu)')
    expect(text).toContain('  prior: compiled/prior-step-float16-cuda-9.0.so (not verified)')
    expect(text).toMatch(/^batches +images that share a run: 8 of 128x128, 4 of 256x256$/m)
    expect(text).toContain('Everything that is needed is there.')
  })

  test('names what runs it, and not the Node that it follows', () => {
    expect(doctorText(healthy, [])).toMatch(/^Node +22\.14\.0, linux x64, glibc 2\.36$/m)
    const javascript = javascriptRuntime({ node: '26.3.0', bun: '1.4.5' })
    const text = doctorText({ ...healthy, javascript, node: '26.3.0' }, [])
    expect(text).toMatch(/^Bun +1\.4\.5 with the modules of Node 26\.3\.0, linux x64, glibc 2\.36$/m)
    expect(javascriptRuntime({ node: '26.3.0', deno: '2.9.6' })).toEqual({ name: 'Deno', version: '2.9.6' })
  })

  test('with GPUs says how many are usable and lists what the driver names', () => {
    const runtime = {
      ...healthy.runtime!,
      cuda: { built: true, available: true, devices: 1, reason: '', architectures: ['9.0'] }
    }
    const text = doctorText({ ...healthy, runtime, gpus: { found: ['Some GPU, 24576 MiB, 580.1'], reason: '' } }, [])
    expect(text).toMatch(/GPUs +1 usable\n +Some GPU, 24576 MiB, 580\.1/)
  })

  test('of a machine with problems ends with each of them and its numbered fixes', () => {
    const broken: Report = { ...healthy, node: '18.20.0', model: { ...healthy.model, error: 'Expected a model' } }
    const text = doctorText(broken, problems(broken))
    expect(text).toMatch(/Node 18\.20\.0 is not supported\.\n {2}1\. .*\n\nExpected a model\n {2}1\. /)
  })
})

describe('problems', () => {
  test('there are none on a healthy machine', () => {
    expect(problems(healthy)).toEqual([])
  })

  test.each([
    [
      'an addon that does not load',
      {
        addon: { path: null, found: [], diagnosis: { code: 'NATIVE_LOAD_FAILED' as const, what: 'no addon', fixes: ['build'] } }
      },
      'no addon'
    ],
    ['a model that does not fit', { model: { ...healthy.model, error: 'no prior' } }, 'no prior'],
    ['sharp', { sharp: { error: 'wrong platform' } }, /sharp.*wrong platform/],
    ['old Node of a supported line', { node: '20.18.3' }, /Node 20\.18\.3/],
    ['an odd release between the supported lines', { node: '21.7.0' }, /Node 21\.7\.0/]
  ])('%s', (_name, change, what) => {
    const found = problems({ ...healthy, ...change })
    expect(found).toHaveLength(1)
    expect(found[0]?.what).toMatch(what)
    expect(found[0]?.fixes.length).toBeGreaterThan(0)
  })
})

describe('the report on this machine', () => {
  test('finds the addon and LibTorch that the set-up made, and says why a model is unusable', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'wuerstchen-doctor-'))
    try {
      const report = await machineReport(empty)
      expect(report.addon.diagnosis).toBeNull()
      expect(report.runtime?.threads).toBeGreaterThan(0)
      expect(report.libtorch.version).toBe(versionIn(report.libtorch.directory!))
      expect(report.model.error).toContain(empty)
      expect(problems(report).map(({ what }) => what)).toEqual([report.model.error])
    } finally {
      rmSync(empty, { recursive: true })
    }
  })
})
