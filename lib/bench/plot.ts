import { extname } from 'node:path'
import sharp from 'sharp'
import { invalid } from '../errors.js'
import { drawChart, type Panel } from './chart.js'
import type { Report } from './run.js'

/** The format that a plot's file name asks for. */
export function plotFormat(file: string): 'svg' | 'png' {
  const extension = extname(file).toLowerCase()
  if (extension === '.svg' || extension === '.png') return extension === '.svg' ? 'svg' : 'png'
  throw invalid('--plot', 'a name ending in .svg or .png', file)
}

/** An SVG document as the bytes of a file. A PNG has twice the resolution, for screens with a high pixel density. */
export async function encodePlot(svg: string, format: 'svg' | 'png'): Promise<Buffer> {
  const bytes = Buffer.from(svg)
  return format === 'svg' ? bytes : await sharp(bytes, { density: 144 }).png().toBuffer()
}

/** Seconds by batch size, as in the model card's figure, and by clients if that was measured. */
export function plotReport(report: Report): string {
  const {
    model,
    machine,
    batches,
    clients,
    settings: { sampling }
  } = report
  const panels: Panel[] = []
  if (batches !== undefined) {
    panels.push({
      title: 'By batch size',
      xLabel: 'images a call',
      yLabel: 'seconds',
      series: [
        {
          name: 'a call, median with fastest and slowest',
          points: batches.map(({ batch, endToEnd: { p50, min, max } }) => ({
            x: batch,
            y: p50 / 1000,
            low: min / 1000,
            high: max / 1000
          }))
        },
        { name: 'an image', points: batches.map(({ batch, imagesPerSecond }) => ({ x: batch, y: 1 / imagesPerSecond })) }
      ]
    })
  }
  if (clients !== undefined) {
    panels.push({
      title: 'By clients',
      xLabel: 'requests at a time',
      yLabel: 'seconds until the image is there',
      series: (['p50', 'p90', 'p99'] as const).map(share => ({
        name: share,
        points: clients.map(load => ({ x: load.clients, y: load.latency[share] / 1000 }))
      }))
    })
  }
  if (panels.length === 0) throw invalid('--plot', 'measures that can be drawn (batches, clients)', report.settings.measures)
  return drawChart(
    `Time to an image: ${model.name}, ${sampling.width}×${sampling.height}`,
    panels,
    `${machine.cpu.model}, ${machine.threads} threads, LibTorch ${machine.torch} (${machine.cpuCapability}), wuerstchen ${machine.wuerstchen}, ${report.date.slice(0, 10)}`
  )
}
