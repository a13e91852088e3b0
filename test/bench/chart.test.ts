import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { drawChart, ticksUpTo } from '../../lib/bench/chart.js'
import { encodePlot, plotFormat } from '../../lib/bench/plot.js'

const chart = drawChart(
  'Time & <money>',
  [
    {
      title: 'left',
      xLabel: 'pictures',
      yLabel: 'seconds',
      series: [
        {
          name: 'ours',
          points: [
            { x: 1, y: 1 },
            { x: 2, y: 2, low: 1.5, high: 4 }
          ]
        },
        {
          name: 'theirs',
          points: [
            { x: 1, y: 3 },
            { x: 2, y: 4 }
          ]
        }
      ]
    },
    { title: 'right', xLabel: 'clients', yLabel: 'seconds', series: [{ name: 'p50', points: [{ x: 8, y: 0.5 }] }] }
  ],
  'a machine'
)

/** Centres of the marks of the first line, as [x, y]. */
const marks = (svg: string) =>
  [.../<polyline[^>]*\/>(.*?)<\/g>/.exec(svg)![1]!.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(
    match => [Number(match[1]), Number(match[2])] as const
  )

describe('a chart', () => {
  test('places values in proportion, from 0 up', () => {
    const [first, second] = marks(chart) as [readonly [number, number], readonly [number, number]]
    const zero = Number(/y1="([\d.]+)" y2="\1" stroke="#222"/.exec(chart)![1])
    expect((zero - second[1]) / (zero - first[1])).toBeCloseTo(2, 1)
    expect(second[0]).toBeGreaterThan(first[0])
  })

  test('names everything, and escapes what would be markup', () => {
    for (const name of ['left', 'right', 'pictures', 'clients', 'ours', 'theirs', 'p50', 'a machine'])
      expect(chart).toContain(`>${name}</text>`)
    expect(chart).toContain('Time &#38; &#60;money&#62;')
    expect(chart).not.toMatch(/NaN|undefined|Infinity/)
  })

  test('is an SVG that sharp can draw: two panels side by side, not all white', async () => {
    const png = await encodePlot(chart, 'png')
    expect(await sharp(png).metadata()).toMatchObject({ format: 'png', width: 1680 })
    const { channels } = await sharp(png).stats()
    expect(channels[0]!.min).toBeLessThan(100)
    expect((await encodePlot(chart, 'svg')).toString()).toBe(chart)
  })
})

test.each([
  [4, [0, 1, 2, 3, 4]],
  [0.9, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [37, [0, 10, 20, 30, 40]],
  [1234, [0, 500, 1000, 1500]],
  [0, [0, 1]],
  [5, [0, 1, 2, 3, 4, 5]]
])('an axis up to %d has round ticks that reach it', (largest, ticks) => {
  expect(ticksUpTo(largest)).toEqual(ticks)
})

test('a plot is an SVG or a PNG', () => {
  expect([plotFormat('a.svg'), plotFormat('b.PNG')]).toEqual(['svg', 'png'])
  expect(() => plotFormat('c.pdf')).toThrow(
    'Expected a name ending in .svg or .png for --plot but received "c.pdf" of type string'
  )
})
