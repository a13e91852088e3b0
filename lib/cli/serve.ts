import { readFile } from 'node:fs/promises'
import { Option, type Command } from 'commander'
import { invalid, WuerstchenError } from '../errors.js'
import { exitNow } from '../internal.js'
import type { Stall } from '../server/index.js'
import { LIMIT_NAMES, LIMITS, type Limits } from '../server/limits.js'
import { defined } from '../options/known.js'
import { kebab, pipelineOptions, toNumber, withPipelineFlags, type PipelineFlags } from './flags.js'

interface ServeFlags extends PipelineFlags, Partial<Limits> {
  model: string[]
  host: string
  port: number
  apiKeysFile?: string
  allowUnauthenticated?: boolean
  corsOrigin: string[]
  idleUnloadSeconds?: number
  graceSeconds?: number
  stallSeconds?: number
  exitOnStall?: boolean
  page: boolean
  logLevel: string
  alias: string[]
  strictOpenai?: boolean
  publicUrl?: string
  urlSecret?: string
}

/** EX_SOFTWARE of sysexits.h. */
const STALLED = 70

/** Log lines are written asynchronously. A reader that is slower than this does not keep a process that hangs. */
const FLUSH_MS = 500

const collect = (value: string, list: string[]) => [...list, value]

export function addServe(program: Command): void {
  const { WUERSTCHEN_HOST: host, WUERSTCHEN_PORT: port, WUERSTCHEN_LOG_LEVEL: level } = process.env
  const command = program
    .command('serve')
    .description('serve models over HTTP, with a web page')
    .option(
      '--model <[name=]dir>',
      'model directory, with the name that requests give; may be repeated (default: WUERSTCHEN_MODEL, else the packaged model)',
      collect,
      []
    )
    .option('--host <address>', 'where to listen (WUERSTCHEN_HOST)', host || '127.0.0.1')
    .addOption(
      new Option('--port <n>', 'port; 0: any that is free (WUERSTCHEN_PORT)')
        .argParser(toNumber)
        .default(port ? toNumber(port) : 8080)
    )
    .option(
      '--api-keys-file <file>',
      'API keys, one a line: [name:]key[:admin] (default: WUERSTCHEN_API_KEYS, separated by commas)'
    )
    .option('--allow-unauthenticated', 'serve other machines without API keys')
    .option('--cors-origin <origin>', 'origin of pages elsewhere that may call the API; may be repeated', collect, [])
    .option('--no-page', 'leave the web page out')
    .option('--alias <name=model>', 'another name of a model, which requests may give; may be repeated', collect, [])
    .option('--strict-openai', "refuse fields of OpenAI's API that change nothing here, instead of naming them in the reply")
    .option('--public-url <url>', "the address of this server for its clients, for links to images (default: the request's host)")
    .option(
      '--url-secret <text>',
      'what links to images are signed with (default: WUERSTCHEN_URL_SECRET, which other users of the machine cannot read; else drawn)'
    )
    .option('--idle-unload-seconds <n>', 'unload models that have had no work for this long; 0: never (default: 0)', toNumber)
    .option('--grace-seconds <n>', 'how long running work may take to end after SIGTERM (default: 60)', toNumber)
    .option(
      '--stall-seconds <n>',
      'work that finishes no step for this long makes the server not ready, and for twice this long not live; 0: never (default: 300)',
      toNumber
    )
    .option('--exit-on-stall', 'end the process with exit code 70 when it is not live any more')
    .addOption(
      new Option('--log-level <level>', 'how much to log (WUERSTCHEN_LOG_LEVEL)')
        .choices(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
        .default(level || 'info')
    )
  for (const name of LIMIT_NAMES) {
    const { text, fallback } = LIMITS[name]
    command.option(`--${kebab(name)} <n>`, `${text} (default: ${fallback})`, toNumber)
  }
  withPipelineFlags(command).action(serve)
}

async function serve(flags: ServeFlags): Promise<void> {
  const { host, port, allowUnauthenticated, corsOrigin, idleUnloadSeconds, graceSeconds, stallSeconds, page, logLevel } = flags
  const { strictOpenai, publicUrl, urlSecret } = flags
  const exit = (stall: Stall) => {
    server.log.fatal(stall, 'nothing is finished any more: the process ends with exit code 70')
    setTimeout(() => exitNow(STALLED), FLUSH_MS)
  }
  const onStall = flags.exitOnStall === true ? exit : undefined
  // Imported only here, because the other commands do not need an HTTP server.
  const { startServer } = await import('../server/index.js')
  const apiKeys = flags.apiKeysFile === undefined ? undefined : await readKeys(flags.apiKeysFile)
  const server = await startServer(
    {
      ...defined({ apiKeys, allowUnauthenticated, idleUnloadSeconds, graceSeconds, stallSeconds, onStall }),
      ...(flags.model.length === 0 ? {} : { models: modelsOf(flags.model) }),
      corsOrigins: corsOrigin,
      page,
      ...defined({ strictOpenai, publicUrl, urlSecret }),
      aliases: aliasesOf(flags.alias),
      pipeline: pipelineOptions(flags),
      limits: defined(Object.fromEntries(LIMIT_NAMES.map(name => [name, flags[name]]))),
      logger: { level: logLevel }
    },
    { host, port }
  )
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    // A user who asks twice does not want to wait.
    if (stopping) exitNow(130)
    stopping = true
    server.log.info({ signal }, 'shutting down')
    void server.close().finally(() => process.off('SIGINT', stop).off('SIGTERM', stop))
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
}

/** Lines that are empty or begin with # are skipped. */
async function readKeys(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected a file of API keys for --api-keys-file but reading ${file} failed: ${error.code}`,
      { subject: file, cause: error }
    )
  })
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
}

/** `name=model` each. */
function aliasesOf(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(entry => {
      const [, alias, model] = /^([^=]+)=([^=]+)$/.exec(entry) ?? []
      if (alias === undefined) throw invalid('--alias', 'NAME=MODEL', entry)
      return [alias, model!]
    })
  )
}

/** `name=dir`, or a directory alone. The last part of the directory is then the name. */
function modelsOf(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(entry => {
      const [, name, directory] = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)$/.exec(entry) ?? []
      return name === undefined ? [entry.replace(/\/+$/, '').split('/').at(-1)!, entry] : [name, directory!]
    })
  )
}
