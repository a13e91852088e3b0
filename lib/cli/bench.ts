import type { Command } from 'commander'
import { encodePlot, plotFormat, plotReport } from '../bench/plot.js'
import { runBench, type Report } from '../bench/run.js'
import { MEASURES, settingsOf, type GivenSettings, type Measure } from '../bench/settings.js'
import { reportText } from '../bench/table.js'
import { invalid } from '../errors.js'
import { defined } from '../options/known.js'
import { pipelineOptions, toNumber, toNumbers, withClobberFlag, withModelFlags, type ModelFlags } from './flags.js'
import { interruptible } from './outcome.js'
import { checkOutputs, isStdout, save, type ClobberFlag } from './outputs.js'
import { Progress, progressLine } from './progress.js'

interface BenchFlags extends ModelFlags, GivenSettings, ClobberFlag {
  output?: string
  plot?: string
}

const SETTINGS = [
  'full',
  'measures',
  'prompt',
  'width',
  'height',
  'priorSteps',
  'decoderSteps',
  'seed',
  'warmUp',
  'runs',
  'batchSizes',
  'clients',
  'requests',
  'rate',
  'coldStarts'
] as const

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('measure a model on this machine: latency, batches, concurrency, event loop, memory, cold start')
    .option('--full', 'enough calls for percentiles, instead of a minute on the packaged model')
    .option('--measures <list>', `some of ${MEASURES.join(',')} (default: all)`, text => text.split(',') as Measure[])
    .option('--prompt <text>', 'what to draw')
    .option('--width <pixels>', 'a multiple of 128', toNumber)
    .option('--height <pixels>', 'a multiple of 128', toNumber)
    .option('--prior-steps <n>', 'steps of the prior', toNumber)
    .option('--decoder-steps <n>', 'steps of the decoder', toNumber)
    .option('--seed <n>', 'of the first image, and of the arrivals (default: 0)', toNumber)
    .option('--warm-up <n>', 'calls that do not count', toNumber)
    .option('--runs <n>', 'counted calls, and counted calls of each batch size', toNumber)
    .option('--batch-sizes <list>', 'images a call', toNumbers)
    .option('--clients <list>', 'closed loop: clients that each send a request when they have their image', toNumbers)
    .option('--requests <n>', 'requests of each number of clients, and of the arrivals', toNumber)
    .option('--rate <x>', 'open loop: arrivals a second (default: 0.8 of what one client gets done)', toNumber)
    .option('--cold-starts <n>', 'fresh processes', toNumber)
    .option('-o, --output <file>', 'write everything as JSON, or - for stdout')
    .option('--plot <file>', 'draw seconds by batch size and by clients (.svg or .png)')
  withModelFlags(withClobberFlag(command)).action(bench)
}

async function bench(flags: BenchFlags): Promise<void> {
  const settings = settingsOf(defined(Object.fromEntries(SETTINGS.map(name => [name, flags[name]]))))
  await checkFiles(flags)
  await interruptible(async signal => {
    const progress = new Progress(flags.quiet ?? false, 1, 1)
    const started = performance.now()
    try {
      const report = await runBench(flags.model, pipelineOptions(flags), settings, {
        signal,
        onLoad: progress.load,
        onProgress: (measure, done, total) =>
          progress.status(progressLine(measure, done, total, done / total, performance.now() - started))
      })
      progress.clear()
      await write(report, flags, signal)
    } finally {
      progress.clear()
    }
  })
}

/** Refuses what cannot be written before minutes are spent on it. */
async function checkFiles({ output, plot, json, measures, clobber }: BenchFlags): Promise<void> {
  if (output !== undefined && json === true && (await isStdout(output)))
    throw invalid('--json', 'no --output - beside it, for both write to stdout,', json)
  if (plot !== undefined) {
    plotFormat(plot)
    if (measures?.some(measure => measure === 'batches' || measure === 'clients') === false)
      throw invalid('--measures', 'batches or clients, which --plot draws,', measures)
  }
  const outputs = [
    { flag: '--output', files: output === undefined ? [] : [output] },
    { flag: '--plot', files: plot === undefined ? [] : [plot] }
  ]
  await checkOutputs(outputs, { clobber })
}

async function write(report: Report, flags: BenchFlags, signal: AbortSignal): Promise<void> {
  const { output, plot, json } = flags
  const toStdout = output !== undefined && (await isStdout(output))
  if (output !== undefined && !toStdout) await save(output, Buffer.from(`${JSON.stringify(report, null, 2)}\n`), flags, signal)
  if (plot !== undefined) await save(plot, await encodePlot(plotReport(report), plotFormat(plot)), flags, signal)
  process.stdout.write(`${json === true || toStdout ? JSON.stringify(report) : reportText(report)}\n`)
}
