import { Option, type Command } from 'commander'
import { invalid } from '../errors.js'
import { exitNow } from '../internal.js'
import { defined } from '../options/known.js'
import type { Stall } from '../server/index.js'
import { listenAt } from '../server/http/place.js'
import { LIMITS, type Limits } from '../server/limits.js'
import { kebab, pipelineOptions, toNumber, withPipelineFlags, type PipelineFlags } from './flags.js'
import { queueOf } from './queue.js'
import { LOG_LEVELS, logLevelOf, modelsOf } from './serve.js'
import { placeOf, toPlace, toPort, type PlaceFlags } from './serve-place.js'
import { EXIT_HUNG, FLUSH_MS, obeySignals } from './signals.js'

/** The limits that a worker has for itself, whatever its servers let through. */
const WORKER_LIMIT_NAMES = [
  'maxRunningImages',
  'maxImages',
  'maxSide',
  'maxInputPixels',
  'maxPriorSteps',
  'maxDecoderSteps',
  'maxPromptLength'
] as const satisfies readonly (keyof Limits)[]

interface WorkerFlags extends PipelineFlags, PlaceFlags, Partial<Limits> {
  queue?: string
  results?: string
  model?: string[]
  maxJobs?: number
  once?: boolean
  deadLetters?: boolean
  sendAgain?: string[]
  graceSeconds?: number
  stallSeconds?: number
  logLevel?: string
}

const collect = (value: string, list: string[] = []) => [...list, value]

export function addWorker(program: Command): void {
  const command = program
    .command('worker')
    .description('make the images of servers that have a queue')
    .option(
      '--queue <url>',
      'queue to take work from: redis://HOST[:PORT], rediss://… or postgres://HOST/DATABASE (default: WUERSTCHEN_QUEUE_URL, which other users of the machine cannot read)'
    )
    .option('--results <place>', 'where files of jobs are: queue, file:///DIRECTORY or s3://BUCKET/PREFIX (default: queue)')
    .option(
      '--model <[name=]dir>',
      'model directory, with the name that requests give; may be repeated (default: WUERSTCHEN_MODEL, else the packaged model)',
      collect
    )
    .option('--max-jobs <n>', 'take so many jobs, then end', toNumber)
    .option('--once', 'end when there is nothing to do')
    .option('--dead-letters', 'print the jobs that ended their workers, a JSON line each, and end')
    .option('--send-again <id>', 'have such a job done again, and end; may be repeated', collect)
    .option('--host <address>', 'address of probes and metrics (default: WUERSTCHEN_HOST, else 127.0.0.1)')
    .option('--port <n>', 'port of probes and metrics; 0: any that is free (default: WUERSTCHEN_PORT, else 8081)', toPort)
    .addOption(
      new Option('--listen <place>', 'HOST:PORT, instead of --host and --port, or unix:FILE for a unix socket')
        .argParser(toPlace)
        .conflicts(['host', 'port'])
    )
    .option('--grace-seconds <n>', 'how many seconds running work may take to end after SIGTERM (default: 60)', toNumber)
    .option(
      '--stall-seconds <n>',
      'work that finishes no step for twice as many seconds ends the process with exit code 70; 0: never (default: 300)',
      toNumber
    )
    .addOption(
      new Option('--log-level <level>', 'how much to log (default: WUERSTCHEN_LOG_LEVEL, else info)').choices(LOG_LEVELS)
    )
  for (const name of WORKER_LIMIT_NAMES) {
    const { text, fallback } = LIMITS[name]
    command.option(`--${kebab(name)} <n>`, `${text} (default: ${fallback})`, toNumber)
  }
  withPipelineFlags(command).action(work)
}

async function work(flags: WorkerFlags): Promise<void> {
  if (flags.deadLetters === true || flags.sendAgain !== undefined) return tendDeadLetters(flags)
  const { results, model, maxJobs, once, graceSeconds, stallSeconds } = flags
  const end = (facts: object, text: string) => {
    void starting.then(({ server }) => server.log.fatal(facts, text))
    setTimeout(() => exitNow(EXIT_HUNG), FLUSH_MS)
  }
  const onStall = (stall: Stall) => end(stall, 'nothing is finished any more: the process ends with exit code 70')
  const onPoisoned = () => end({}, 'the engine failed on the GPU: the process ends with exit code 70, and others do its work')
  const { createWorker } = await import('../server/index.js')
  const warnings: string[] = []
  const place = placeOf(flags, message => warnings.push(message), 8081)
  const starting = createWorker({
    ...defined({ queue: queueOf(flags), results, models: model && modelsOf(model), maxJobs, once, graceSeconds, stallSeconds }),
    ...(stallSeconds === 0 ? {} : { onStall }),
    onPoisoned,
    // Others than this machine may ask for probes; what else there is, metrics, has nothing of anybody.
    allowUnauthenticated: true,
    pipeline: pipelineOptions(flags),
    limits: defined(Object.fromEntries(WORKER_LIMIT_NAMES.map(name => [name, flags[name]]))),
    logger: { level: logLevelOf(flags) }
  }).then(async worker => {
    try {
      await listenAt(worker.server, place)
    } catch (error) {
      await worker.close()
      throw error
    }
    return worker
  })
  obeySignals(
    starting.then(({ server }) => server),
    async () => ({})
  )
  const worker = await starting
  for (const warning of warnings) worker.server.log.warn(warning)
  void worker.over.then(() => worker.close())
  await worker.start()
  worker.server.log.info({ worker: worker.id }, 'work is taken')
}

async function tendDeadLetters(flags: WorkerFlags): Promise<void> {
  const { deadLetters, sendAgain } = await import('../server/queue/dead-letters.js')
  const queue = queueOf(flags)
  for (const id of flags.sendAgain ?? [])
    if (!(await sendAgain(queue, id))) throw invalid('--send-again', 'the id of a dead letter', id)
  if (flags.deadLetters === true)
    for (const letter of await deadLetters(queue)) process.stdout.write(`${JSON.stringify(letter)}\n`)
}
