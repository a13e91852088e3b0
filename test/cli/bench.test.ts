import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../lib/bench/run.js'
import { runCommandLine } from '../support/child.js'
import { smallModel } from '../support/small-model.js'

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'wuerstchen-bench-'))
})
afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const FEW = [
  '--prior-steps',
  '2',
  '--decoder-steps',
  '1',
  '--threads',
  '1',
  '--runs',
  '2',
  '--warm-up',
  '1',
  '--batch-sizes',
  '2,1',
  '--clients',
  '1,3',
  '--requests',
  '4',
  '--rate',
  '50',
  '--cold-starts',
  '1'
]

const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  runCommandLine(['bench', ...args], { cwd, env: { WUERSTCHEN_MODEL: smallModel, ...env } })

/** Presses Ctrl-C a moment after somebody listens for it, however long the process takes to get there. */
const INTERRUPTED = `--import data:text/javascript,${encodeURIComponent(`
const timer = setInterval(() => {
  if (process.listenerCount('SIGINT') === 0) return
  clearInterval(timer)
  setTimeout(() => process.kill(process.pid, 'SIGINT'), 500).unref()
}, 20).unref()`)}`

describe('bench', () => {
  test('measures everything and writes JSON, a plot and a table', async () => {
    const { code, stdout, stderr } = await run([...FEW, '--seed', '3', '-o', 'bench.json', '--plot', 'bench.svg'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const head of ['latency ', 'images a call', 'clients ', 'arrivals/s', 'fresh process until', 'Peak memory'])
      expect(stdout.toString()).toContain(head)

    const report = JSON.parse(readFileSync(join(cwd, 'bench.json'), 'utf8')) as Report
    expect(report).toMatchObject({
      formatVersion: 1,
      machine: { threads: 1, torch: expect.stringMatching(/^2\./), cpu: { model: expect.any(String) } },
      model: { name: 'small-random' },
      settings: { seed: 3, sampling: { width: 128, height: 128, priorSteps: 2, decoderSteps: 1 } },
      latency: { endToEnd: { samples: 2 } },
      arrivals: { rate: 50, requests: 4, latency: { samples: 4 } },
      coldStart: { picture: { samples: 1 } }
    })
    expect(report.warmUp).toHaveLength(1)
    expect(report.batches!.map(({ batch, endToEnd }) => [batch, endToEnd.samples])).toEqual([
      [1, 2],
      [2, 2]
    ])
    // A client has at least two requests.
    expect(report.clients!.map(({ clients, requests, latency }) => [clients, requests, latency.samples])).toEqual([
      [1, 4, 4],
      [3, 6, 6]
    ])
    expect(report.clients![1]!.eventLoopDelay.samples).toBeGreaterThan(0)
    expect(report.model.artefacts.map(({ stage, kind }) => [stage, kind])).toContainEqual(['decoder', 'torchscript'])
    expect(report.load.bytes.decoder).toBeGreaterThan(0)

    // The parts of a call are no longer than the call, and a process is imported before it has a model, and a picture last.
    const { endToEnd, stages } = report.latency!
    expect(stages.decoder!.min).toBeGreaterThan(0)
    expect(stages.prior!.min + stages.decoder!.min).toBeLessThan(endToEnd.max)
    const { imported, loaded, picture } = report.coldStart!
    expect([imported.p50, loaded.p50, picture.p50]).toEqual([imported.p50, loaded.p50, picture.p50].sort((a, b) => a - b))
    expect(report.peakBytes).toBeGreaterThanOrEqual(report.batches![1]!.peakBytes)

    const svg = readFileSync(join(cwd, 'bench.svg'), 'utf8')
    expect(svg).toContain('small-random, 128×128')
    expect((await sharp(Buffer.from(svg)).metadata()).width).toBeGreaterThan(500)
  })

  test('measures what it is told to, and prints one JSON', async () => {
    const { code, stdout } = await run([...FEW, '--measures', 'batches', '--batch-sizes', '1', '--json', '--plot', 'one.png'])
    expect(code).toBe(0)
    const report = JSON.parse(stdout.toString()) as Report
    expect(Object.keys(report)).toEqual(expect.arrayContaining(['batches']))
    for (const measure of ['latency', 'clients', 'arrivals', 'coldStart']) expect(report).not.toHaveProperty(measure)
    expect((await sharp(join(cwd, 'one.png')).metadata()).format).toBe('png')
  })

  test('Ctrl-C ends it with 130 and leaves no file', async () => {
    const { code, stdout, stderr } = await run([...FEW, '--runs', '100000', '-o', 'never.json', '--plot', 'never.svg'], {
      NODE_OPTIONS: INTERRUPTED
    })
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 130, stdout: '', stderr: 'Interrupted\n' })
    expect(readdirSync(cwd).filter(file => file.includes('never'))).toEqual([])
  })

  test.each<[string, string[], RegExp]>([
    ['an unknown measure', ['--measures', 'speed'], /one of latency, batches/],
    ['no runs', ['--runs', '0'], /an integer from 1 to 100000 for --runs/],
    ['a plot of nothing', ['--measures', 'latency', '--plot', 'a.svg'], /batches or clients/],
    ['another kind of plot', ['--plot', 'a.pdf'], /ending in \.svg or \.png/],
    ['no such directory', ['-o', 'no/where.json'], /ENOENT/],
    ['two outputs on stdout', ['-o', '-', '--json'], /no --output - beside it/]
  ])('%s is wrong usage', async (_name, args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect(stderr).toMatch(message)
    // With --json a failure is JSON too.
    const told = args.includes('--json') ? expect.stringContaining('"code":"INVALID_ARGUMENT"') : ''
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: told })
    expect(existsSync(join(cwd, 'a.svg'))).toBe(false)
  })
})
