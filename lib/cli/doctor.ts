import type { Command } from 'commander'
import { problems, type Problem } from '../doctor/problems.js'
import { machineReport, type Report } from '../doctor/report.js'

interface DoctorOptions {
  model?: string
  json?: boolean
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('say what this machine has, and what is missing')
    .option('--model <dir>', 'model directory (default: WUERSTCHEN_MODEL, else the packaged model)')
    .option('--json', 'print one JSON result')
    .action(async (options: DoctorOptions) => {
      process.exitCode = await doctor(options)
    })
}

/**
 * Prints what was found on this machine and what is wrong with it.
 * @returns the exit code: 0 if images can be made, else 1
 */
async function doctor({ model, json = false }: DoctorOptions): Promise<number> {
  const report = await machineReport(model)
  const found = problems(report)
  const text = json ? JSON.stringify({ ok: found.length === 0, ...report, problems: found }, null, 2) : doctorText(report, found)
  process.stdout.write(`${text}\n`)
  return found.length === 0 ? 0 : 1
}

/** @internal */
export function doctorText(report: Report, found: readonly Problem[]): string {
  const { cpu, addon, libtorch, runtime, gpus, model, sharp } = report
  const lines: [string, string][] = [
    ['wuerstchen', report.wuerstchen],
    [
      report.javascript.name,
      `${versionText(report)}, ${report.platform} ${report.arch}, ${report.glibc === null ? 'no glibc' : `glibc ${report.glibc}`}`
    ],
    ['CPU', `${cpu.model}, ${cpu.cores} cores, ${cpu.features.join(' ') || 'no special instructions'}`],
    ['memory', `${(report.memoryBytes / 2 ** 30).toFixed(1)} GiB`],
    ['addon', addon.path ?? 'cannot be loaded'],
    ['addons for', addon.found.map(({ builtFor }) => builtFor).join(', ') || 'no LibTorch'],
    [
      'LibTorch',
      libtorch.directory === null
        ? `none of the versions ${libtorch.wanted} (${libtorch.tried.join('; ')})`
        : `${libtorch.version} in ${libtorch.directory} (${libtorch.source})`
    ],
    ...(runtime === null ? [] : [['uses', `${runtime.cpuCapability}, ${runtime.threads} threads`] as [string, string]]),
    ['GPUs', gpusText(report)],
    ...gpus.found.map((gpu): [string, string] => ['', gpu]),
    ['sharp', 'error' in sharp ? 'cannot be loaded' : `${sharp.version}, libvips ${sharp.libvips}`],
    ['model', `${model.name ?? 'none'} in ${model.directory}`],
    ...model.artefacts.map(({ stage, file, used, misfit, verified }): [string, string] => {
      const notes = [misfit, verified ? null : 'not verified'].filter(note => note !== null)
      return ['', `${used ? '*' : ' '} ${stage}: ${file}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`]
    }),
    ...batchesText(model.batches)
  ]
  const table = lines.map(([name, value]) => `${name.padEnd(12)}${value}`)
  return [...table, '', ...verdict(found)].join('\n')
}

function batchesText(batches: Report['model']['batches']): [string, string][] {
  const parts = Object.entries(batches).map(([size, images]) => `${images} of ${size}`)
  return parts.length === 0 ? [] : [['batches', `images that share a run: ${parts.join(', ')}`]]
}

function versionText({ javascript, node }: Report): string {
  return javascript.name === 'Node' ? node : `${javascript.version} with the modules of Node ${node}`
}

function gpusText({ runtime, gpus }: Report): string {
  if (runtime?.cuda.available) return `${runtime.cuda.devices} usable`
  const reason = runtime === null ? 'the addon cannot be loaded' : runtime.cuda.reason
  return `none usable: ${[reason, gpus.reason].filter(Boolean).join('; ')}`
}

function verdict(found: readonly Problem[]): string[] {
  if (found.length === 0) return ['Everything that is needed is there. Files marked * are used.']
  return found.flatMap(({ what, fixes }) => [what, ...fixes.map((fix, index) => `  ${index + 1}. ${fix}`), '']).slice(0, -1)
}
