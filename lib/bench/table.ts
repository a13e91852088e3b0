import type { EventLoopDelay } from './event-loop.js'
import type { Report } from './run.js'
import type { Summary } from './statistics.js'

type Row = (string | number)[]

const SUMMARY = ['samples', 'p50', 'p90', 'p99', 'min', 'max']

/** A report for people: one table for each measure, in milliseconds. */
export function reportText(report: Report): string {
  const {
    model,
    machine,
    settings: { sampling },
    latency,
    batches,
    clients,
    arrivals,
    coldStart
  } = report
  const kinds = [...new Set(model.artefacts.map(({ kind, dtype, device }) => `${kind} ${dtype} on ${device}`))].join(', ')
  const parts = [
    `${model.name} (${model.hash.slice(0, 10)}), ${kinds}, ${sampling.width}x${sampling.height}\n` +
      `${machine.cpu.model}, ${machine.threads} threads, LibTorch ${machine.torch} (${machine.cpuCapability}), ${machine.javascript}, load average ${number(machine.loadAverage)}`,
    `Milliseconds. Loaded in ${number(report.load.milliseconds)}, ${megabytes(sum(report.load.bytes))} of weights; first calls ${report.warmUp.map(number).join(', ') || 'not measured'}`
  ]
  if (latency !== undefined) {
    const rows = Object.entries(latency.stages).map(([stage, summary]): Row => [stage, ...summaryRow(summary)])
    parts.push(table(['latency', ...SUMMARY], [['prompt to PNG', ...summaryRow(latency.endToEnd)], ...rows]))
  }
  if (batches !== undefined) {
    parts.push(
      table(
        ['images a call', ...SUMMARY, 'images/s', 'peak MB'],
        batches.map(({ batch, endToEnd, imagesPerSecond, peakBytes }) => [
          batch,
          ...summaryRow(endToEnd),
          number(imagesPerSecond),
          number(peakBytes / 1e6)
        ])
      )
    )
  }
  if (clients !== undefined) {
    parts.push(
      table(
        ['clients', ...SUMMARY, 'requests/s', 'loop p99', 'loop max'],
        clients.map(load => [
          load.clients,
          ...summaryRow(load.latency),
          number(load.requestsPerSecond),
          ...delayRow(load.eventLoopDelay)
        ])
      )
    )
  }
  if (arrivals !== undefined) {
    parts.push(
      table(
        ['arrivals/s', ...SUMMARY, 'requests/s', 'loop p99', 'loop max'],
        [
          [
            number(arrivals.rate),
            ...summaryRow(arrivals.latency),
            number(arrivals.requestsPerSecond),
            ...delayRow(arrivals.eventLoopDelay)
          ]
        ]
      )
    )
  }
  if (coldStart !== undefined) {
    parts.push(
      table(
        ['fresh process until', ...SUMMARY],
        (['imported', 'loaded', 'picture'] as const).map(event => [event, ...summaryRow(coldStart[event])])
      )
    )
  }
  const fresh = coldStart === undefined ? '' : `; of a fresh process that makes one picture: ${megabytes(coldStart.peakBytes)}`
  return [...parts, `Peak memory: ${megabytes(report.peakBytes)}${fresh}`].join('\n\n')
}

function summaryRow(summary: Summary): Row {
  return [
    summary.samples,
    number(summary.p50),
    number(summary.p90),
    number(summary.p99),
    number(summary.min),
    number(summary.max)
  ]
}

function delayRow({ p99, max }: EventLoopDelay): Row {
  return [number(p99), number(max)]
}

/** Columns are as wide as their longest cell. The first is aligned left, numbers are aligned right. */
function table(head: Row, rows: Row[]): string {
  const all = [head, ...rows].map(row => row.map(String))
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  return all
    .map(row => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '))
    .join('\n')
}

/** A number with three significant digits. */
function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function megabytes(bytes: number): string {
  return `${number(bytes / 1e6)} MB`
}

function sum(values: Record<string, number>): number {
  return Object.values(values).reduce((total, value) => total + value, 0)
}
