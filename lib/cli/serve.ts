import { Option, type Command } from 'commander'
import { invalid } from '../errors.js'
import { exitNow } from '../internal.js'
import { expectOneOf } from '../options/is.js'
import type { Stall, TlsFiles } from '../server/index.js'
import { LIMIT_NAMES, LIMITS, type Limits } from '../server/limits.js'
import { defined } from '../options/known.js'
import { kebab, pipelineOptions, toNumber, withPipelineFlags, type PipelineFlags } from './flags.js'
import { queueOf } from './queue.js'
import { reload } from './reload.js'
import { placeOf, toPlace, toPort, type PlaceFlags } from './serve-place.js'
import { EXIT_HUNG, FLUSH_MS, obeySignals } from './signals.js'

interface ServeFlags extends PipelineFlags, PlaceFlags, Partial<Limits> {
  model?: string[]
  queue?: string
  results?: string
  tlsCert?: string
  tlsKey?: string
  trustProxy?: string[]
  apiKeysFile?: string
  allowUnauthenticated?: boolean
  corsOrigin?: string[]
  webhookAllow?: string[]
  webhookSecret?: string
  idleUnloadSeconds?: number
  graceSeconds?: number
  stallSeconds?: number
  exitOnStall?: boolean
  page: boolean
  logLevel?: string
  alias?: string[]
  strictOpenai?: boolean
  publicUrl?: string
  urlSecret?: string
}

const collect = (value: string, list: string[] = []) => [...list, value]
const toList = (text: string) => text.split(',').map(item => item.trim())
const collectAll = (value: string, list: string[] = []) => [...list, ...value.split(',').map(each => each.trim())]

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The environment is read when the command runs: other commands, and the help, do not care what is in it. */
export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('serve models over HTTP, with a web page')
    .option(
      '--model <[name=]dir>',
      'model directory, with the name that requests give; may be repeated (default: WUERSTCHEN_MODEL, else the packaged model)',
      collect
    )
    .option(
      '--queue <url>',
      'queue whose workers have the models: redis://HOST[:PORT], rediss://… or postgres://HOST/DATABASE (default: WUERSTCHEN_QUEUE_URL, which other users of the machine cannot read, else none)'
    )
    .option(
      '--results <place>',
      'where files of jobs are, with --queue: queue, file:///DIRECTORY or s3://BUCKET/PREFIX (default: queue)'
    )
    .option(
      '--host <address>',
      'address to listen at, such as 0.0.0.0 for all of the machine (default: WUERSTCHEN_HOST, else 127.0.0.1)'
    )
    .option('--port <n>', 'port; 0: any that is free (default: WUERSTCHEN_PORT, else 8080)', toPort)
    .addOption(
      new Option('--listen <place>', 'HOST:PORT, instead of --host and --port, or unix:FILE for a unix socket')
        .argParser(toPlace)
        .conflicts(['host', 'port'])
    )
    .option('--tls-cert <file>', 'serve HTTPS with this certificate and its chain, in PEM; needs --tls-key')
    .option('--tls-key <file>', 'key of the certificate, in PEM; needs --tls-cert')
    .option(
      '--trust-proxy <list>',
      'proxies whose X-Forwarded headers are believed, separated by commas: addresses, ranges such as 10.0.0.0/8, loopback, unix (default: none)',
      toList
    )
    .option(
      '--api-keys-file <file>',
      'API keys, one a line: [name:]key[:admin]; read again on SIGHUP (default: WUERSTCHEN_API_KEYS, separated by commas; without keys this machine alone is served)'
    )
    .option('--allow-unauthenticated', 'serve everybody who can connect, without API keys')
    .option(
      '--cors-origin <origin>',
      'origin, such as https://example.org, whose pages may call the API; may be repeated (default: none)',
      collect
    )
    .option(
      '--webhook-allow <hosts>',
      'hosts that webhooks of jobs may be sent to, separated by commas: [https://]HOST[:PORT], http://HOST[:PORT], ranges of private addresses (default: none)',
      collectAll
    )
    .option(
      '--webhook-secret <secret>',
      'what webhooks are signed with: whsec_ and 24 to 64 bytes in base64 (default: WUERSTCHEN_WEBHOOK_SECRET, which other users of the machine cannot read)'
    )
    .option('--no-page', 'do not serve the web page')
    .option(
      '--alias <name=model>',
      'another name of a model, which requests may give, as in gpt-image-1=wuerstchen-tiny; may be repeated',
      collect
    )
    .option('--strict-openai', "refuse fields of OpenAI's API that change nothing here, instead of naming them in the reply")
    .option('--public-url <url>', "the address of this server for its clients, for links to images (default: the request's host)")
    .option(
      '--url-secret <text>',
      'what links to images are signed with (default: WUERSTCHEN_URL_SECRET, which other users of the machine cannot read; else drawn)'
    )
    .option(
      '--idle-unload-seconds <n>',
      'unload models that have had no work for this many seconds; 0: never (default: 0)',
      toNumber
    )
    .option('--grace-seconds <n>', 'how many seconds running work may take to end after SIGTERM (default: 60)', toNumber)
    .option(
      '--stall-seconds <n>',
      'work that finishes no step for this many seconds makes the server not ready, and for twice as many not live; 0: never (default: 300)',
      toNumber
    )
    .option('--exit-on-stall', 'end the process with exit code 70 when it is not live any more')
    .addOption(
      new Option('--log-level <level>', 'how much to log (default: WUERSTCHEN_LOG_LEVEL, else info)').choices(LOG_LEVELS)
    )
  for (const name of LIMIT_NAMES) {
    const { text, fallback } = LIMITS[name]
    command.option(`--${kebab(name)} <n>`, `${text} (default: ${fallback})`, toNumber)
  }
  withPipelineFlags(command).action(serve)
}

async function serve(flags: ServeFlags): Promise<void> {
  const { allowUnauthenticated, corsOrigin, trustProxy, webhookAllow, webhookSecret } = flags
  const { idleUnloadSeconds, graceSeconds, stallSeconds, page } = flags
  const { strictOpenai, publicUrl, urlSecret } = flags
  const exit = (stall: Stall) => {
    server.log.fatal(stall, 'nothing is finished any more: the process ends with exit code 70')
    setTimeout(() => exitNow(EXIT_HUNG), FLUSH_MS)
  }
  const onStall = flags.exitOnStall === true ? exit : undefined
  const queue = queueOf(flags)
  if (queue !== undefined) expectNoModels(flags)
  // Imported only here, because the other commands do not need an HTTP server.
  const { ApiKeys, startServer } = await import('../server/index.js')
  const warnings: string[] = []
  const place = placeOf(flags, message => warnings.push(message))
  const logger = { level: logLevelOf(flags) }
  const tls = tlsOf(flags)
  const apiKeys = flags.apiKeysFile === undefined ? undefined : await ApiKeys.fromFile(flags.apiKeysFile)
  const starting = startServer(
    {
      ...defined({ models: flags.model && modelsOf(flags.model), corsOrigins: corsOrigin, webhookAllow }),
      ...defined({ apiKeys, tls, trustProxy, allowUnauthenticated, webhookSecret }),
      ...defined({ idleUnloadSeconds, graceSeconds, stallSeconds, onStall }),
      page,
      ...defined({ strictOpenai, publicUrl, urlSecret }),
      aliases: aliasesOf(flags.alias ?? []),
      ...defined({ queue, results: flags.results }),
      ...(queue === undefined ? { pipeline: pipelineOptions(flags) } : {}),
      limits: defined(Object.fromEntries(LIMIT_NAMES.map(name => [name, flags[name]]))),
      logger
    },
    place
  )
  obeySignals(starting, server => reload(server, apiKeys, tls))
  const server = await starting
  for (const warning of warnings) server.log.warn(warning)
}

/** Says it by the flag: the option has another name. */
function expectNoModels({ model, device, dtype, threads, residency, maxBatch, verify }: ServeFlags): void {
  // Files are verified unless a flag says otherwise.
  const given = { model, device, dtype, threads, residency, maxBatch, noVerify: verify === false || undefined }
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) throw invalid(`--${kebab(name)}`, 'nothing beside a queue, whose workers have the models,', value)
}

export function logLevelOf({ logLevel }: { logLevel?: string }): string {
  return logLevel ?? expectOneOf('WUERSTCHEN_LOG_LEVEL', process.env['WUERSTCHEN_LOG_LEVEL'] || 'info', LOG_LEVELS)
}

function tlsOf({ tlsCert: cert, tlsKey: key }: ServeFlags): TlsFiles | undefined {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw invalid(cert === undefined ? '--tls-cert' : '--tls-key', 'a file, as for the other of the two,', undefined)
  return { cert, key }
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
export function modelsOf(entries: readonly string[]): Record<string, string> {
  const models = entries.map((entry): [string, string] => {
    const [, name, directory] = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)$/.exec(entry) ?? []
    return name === undefined ? [entry.replace(/\/+$/, '').split('/').at(-1)!, entry] : [name, directory!]
  })
  const twice = models.find(([name], index) => models.findIndex(([other]) => other === name) < index)
  if (twice !== undefined) throw invalid('--model', 'models with different names', twice[0], 'NAME=DIR gives a model another')
  return Object.fromEntries(models)
}
