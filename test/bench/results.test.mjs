import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pixelDifference } from '../../scripts/checks/pixels.mjs'
import { range, table } from '../../bench/markdown.mjs'
import { objections } from '../../bench/quotable.mjs'
import { comparisonFigure, comparisonText, replaceRegion } from '../../bench/report.mjs'
import { figuresOf, ratio, samePicture, spread } from '../../bench/results.mjs'
import { withDirectory } from '../support/small-model.js'

/** @import { Results } from '../../bench/report.mjs' */

/** @param {number} total @param {number} generate @param {number} picture @param {number} peakBytes */
const sample = (total, generate, picture, peakBytes) => ({
  times: { total: [total, total * 3, total], generate: [generate] },
  cold: { picture },
  peakBytes,
  difference: { max: 1, mean: 0.01 }
})

describe('figures', () => {
  const figures = figuresOf({
    eager: [sample(100, 90, 1000, 800), sample(400, 390, 2000, 800), sample(100, 90, 1000, 800)],
    torchscript: [sample(50, 40, 250, 400), sample(100, 90, 500, 400), sample(60, 40, 250, 400)],
    core: [
      { times: { generate: [39] }, peakBytes: 300 },
      { times: { generate: [90] }, peakBytes: 300 },
      { times: { generate: [40] }, peakBytes: 300 }
    ]
  })

  test('are medians over the rounds of medians within a round', () => {
    expect(figures.torchscript?.total).toEqual({ median: 60, min: 50, max: 100, rounds: [50, 100, 60] })
  })

  test('compare within a round, so that a slow round does not count twice', () => {
    expect(figures.torchscript?.against.eager?.total?.rounds).toEqual([0.5, 0.25, 0.6])
    expect(figures.torchscript?.against.eager?.cold?.median).toBe(0.25)
    expect(figures.torchscript?.against.eager?.peak?.median).toBe(0.5)
  })

  test('leave out what a case does not have: the loop without Node writes no PNG and has no cold start', () => {
    expect(figures.core).not.toHaveProperty('total')
    expect(figures.core?.against.eager?.total).toBeUndefined()
    expect(figures.core?.against.torchscript?.generate?.rounds).toEqual([39 / 40, 1, 1])
  })

  test('keep the worst difference of the pictures', () => {
    const worse = { ...sample(1, 1, 1, 1), difference: { max: 9, mean: 0.005 } }
    expect(figuresOf({ aoti: [sample(1, 1, 1, 1), worse] }).aoti?.difference).toEqual({ max: 9, mean: 0.01 })
  })
})

test('a ratio of what was not measured is none', () => {
  expect(ratio([{ x: NaN }], [{ x: 1 }], ({ x }) => x)).toBeUndefined()
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, rounds: [3, 1, 2] })
})

test('pictures differ by value, and wholly where their sizes do', () => {
  expect(pixelDifference(Uint8Array.of(0, 10, 255, 3), Uint8Array.of(0, 12, 250, 3))).toEqual({ max: 5, mean: 1.75 })
  expect(samePicture(pixelDifference(new Uint8Array(3), new Uint8Array(4)))).toBe(false)
  expect([samePicture({ max: 3, mean: 0.01 }), samePicture({ max: 255, mean: 20 })]).toEqual([true, false])
})

/** @type {Results} */
const results = {
  date: '2026-01-02T03:04:05.678Z',
  model: 'tiny',
  options: { rounds: 2, runs: 3, warmUp: 1 },
  cases: ['eager', 'torchscript', 'aoti', 'core'],
  machine: {
    cpu: { model: 'Some CPU', cores: 2 },
    threads: 2,
    torch: '2.13.0',
    cpuCapability: 'AVX2',
    node: '20',
    loadAverage: 0.5,
    python: { python: '3.11', torch: '2.13.0', diffusers: '0.42.1' }
  },
  unavailable: { aoti: 'no packages | here' },
  roofline: { flops: [4e9], rate: spread([2e11, 3e11, 2.5e11]) },
  eventLoop: [{ p99: 3 }, { p99: 5.25 }],
  sharing: { makespan: spread([0.8]), latency: spread([0.7, 0.9]) },
  settings: [
    {
      width: 256,
      height: 256,
      batch: 1,
      problems: {},
      figures: figuresOf({
        eager: [sample(100, 90, 1000, 8e8), sample(120, 90, 1000, 8e8)],
        torchscript: [sample(50, 40, 250, 4e8), sample(30, 40, 250, 4e8)],
        core: [
          { times: { generate: [39] }, peakBytes: 3e8 },
          { times: { generate: [39] }, peakBytes: 3e8 }
        ]
      })
    }
  ]
}

describe('the report', () => {
  test('has every case: times with ratios, and why one is missing', () => {
    const text = comparisonText(results)
    expect(text).toContain('| wuerstchen, TorchScript | 40 ms (0.38) |')
    expect(text).toContain('| wuerstchen, AOTInductor | not available |')
    expect(text).toContain('no packages \\| here')
    expect(text).toContain('5.3 ms (worst of 2 rounds)')
    expect(text).toContain('0.97 [0.97–0.97]')
    expect(text).toContain('until the last is done | 0.80 |')
    expect(text).toContain('from when it was due | 0.80 [0.70–0.90] |')
    // 4 GFLOP in 40 ms are 100 GFLOP/s, of 250.
    expect(text).toMatch(/wuerstchen, TorchScript \| 256×256, 1 \| 40 ms \[30 ms–50 ms\] \| 0\.38 [^|]*\| *\| 0\.40 \|/)
    expect(text).toContain('250 GFLOP/s [200 GFLOP/s–300 GFLOP/s]')
    expect(text).not.toMatch(/undefined|NaN/)
  })

  test('draws whole programs only, each with its spread', () => {
    const svg = comparisonFigure(results)
    expect(svg).toContain('256×256')
    expect(svg.match(/<polyline/g)).toHaveLength(2)
  })

  test('replaces what stands between the marks, however often', () =>
    withDirectory(async directory => {
      const file = join(directory, 'page.md')
      writeFileSync(file, 'before\n<!-- comparison -->\nold\n<!-- end of comparison -->\nafter\n')
      await replaceRegion(file, 'first $& $1')
      await replaceRegion(file, 'second $& $1')
      expect(readFileSync(file, 'utf8')).toBe(
        'before\n<!-- comparison -->\n\nsecond $& $1\n\n<!-- end of comparison -->\nafter\n'
      )
      writeFileSync(file, 'nothing')
      await expect(replaceRegion(file, 'x')).rejects.toThrow('Expected the marks')
    }))
})

describe('results go into the documents', () => {
  const steady = figuresOf({ eager: [sample(100, 90, 1, 1), sample(109, 90, 1, 1)] })
  const unsteady = figuresOf({ eager: [sample(100, 90, 1, 1), sample(112, 90, 1, 1)] })
  const quoted = (/** @type {number} */ loadAverage, figures = steady) =>
    objections({
      ...results,
      machine: { ...results.machine, loadAverage },
      settings: [{ width: 256, height: 256, batch: 1, problems: {}, figures }]
    })

  test('from an idle machine whose rounds agree', () => expect(quoted(0.3)).toEqual([]))

  test('not where anything else ran', () =>
    expect(quoted(0.31)).toEqual([
      'Expected a load average of at most 0.3 at the start but it was 0.31: wait until nothing else runs'
    ]))

  test('not where rounds differ by more than a tenth', () =>
    expect(quoted(0, unsteady)).toEqual([
      'Expected rounds that agree within 10 % but those of diffusers, eager, 256×256, 1, differ by 12 %'
    ]))
})

test('tables and ranges', () => {
  expect(
    table([
      ['a', 'b'],
      [1, 'x|y']
    ])
  ).toBe('| a | b |\n| --- | --- |\n| 1 | x\\|y |')
  expect([range(undefined, String), range(spread([2]), String), range(spread([1, 3, 2]), String)]).toEqual(['', '2', '2 [1–3]'])
})
