import type { PipelineOptions } from '../index.js'
import { invalid, WuerstchenError } from '../errors.js'
import { isUrl } from '../options/file-url.js'
import { loadOptions } from '../internal.js'
import { expectBoolean, expectFunction, expectInteger, expectString, optional } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { TrustedProxies } from './http/proxies.js'
import { ApiKeys } from './keys/api-keys.js'
import { limitsOf, type Limits } from './limits.js'
import { AllowList } from './webhooks/allow-list.js'
import { parseSecrets } from './webhooks/signature.js'
import type { TlsFiles } from './http/tls.js'
import { queueAddress, type QueueAddress } from './queue/address.js'
import { resultsPlace, type ResultsPlace } from './queue/files/results-place.js'
import type { Stall } from './watchdog.js'

/** Options of `createServer` and of the plugin. */
export interface ServerOptions {
  /**
   * Model directories by the names that requests give; the first is meant where they give none.
   * Defaults to WUERSTCHEN_MODEL, else the packaged model, by its own name.
   */
  models?: Readonly<Record<string, string | URL>>
  /**
   * A queue, whose workers have the models: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://…` with TLS; or
   * `postgres://[USER:PASSWORD@]HOST[:PORT]/DATABASE`, with TLS where `?sslmode=verify-full` or `require` is at its end. Needs the
   * packages bullmq and ioredis, or bullmq and pg. Not with `models` and `pipeline`. Defaults to none: the models are in this
   * process.
   */
  queue?: string
  /**
   * Where files of jobs are, with `queue`: `queue`, in its database; `file:///DIRECTORY`, which servers and workers share; or
   * `s3://BUCKET/PREFIX[?links=store|server]`, whose endpoint, region and keys are in the environment as AWS's tools read them. It
   * needs the package aws4fetch. Defaults to `queue`.
   */
  results?: string
  /** How models are loaded. Those of `Pipeline.load`, less `signal` and `onProgress`. */
  pipeline?: Omit<PipelineOptions, 'signal' | 'onProgress'>
  /**
   * API keys, `[name:]key[:admin]` each, at least one; or `ApiKeys`, which can be replaced while the server runs. Defaults to
   * WUERSTCHEN_API_KEYS, separated by commas. If that is not set or is empty, requests from this machine need no key.
   */
  apiKeys?: readonly string[] | ApiKeys
  /** Serves whoever can connect, without a key. Defaults to `false`. For servers behind something that asks for one. */
  allowUnauthenticated?: boolean
  /** What a request, a key and the server may take. docs/settings.md has the defaults. */
  limits?: Partial<Limits>
  /** Seconds without work after which a model is unloaded; 0: never. Defaults to 0. */
  idleUnloadSeconds?: number
  /** Seconds that running work may take to end when the server is closed. Defaults to 60. */
  graceSeconds?: number
  /**
   * Seconds in which work has to finish something, a step or a program that is loaded, say. After that the server is no longer
   * ready, and after twice that it is no longer live. From 1; 0: never. Defaults to 300.
   */
  stallSeconds?: number
  /**
   * Called once for every stall that lasts for twice `stallSeconds`. Only a new process helps an engine that hangs, and how this
   * one ends is up to you. `process.exit()` waits for the engine. Not with `stallSeconds` 0.
   */
  onStall?: (stall: Stall) => void
  /**
   * Proxies whose word counts for who a request is from (`X-Forwarded-For`, `-Host`, `-Proto`, `-Prefix`) and for its
   * `X-Request-Id`: addresses, ranges of them (`10.0.0.0/8`), `loopback`, or `unix` for whoever connects to a unix socket.
   * Defaults to none. Not for the plugin: there the application's own `trustProxy` counts.
   */
  trustProxy?: readonly string[]
  /** Files with the certificate, its chain included, and its key, both in PEM. Not for the plugin. Defaults to no TLS. */
  tls?: TlsFiles
  /** Origins of pages elsewhere that may call the API, as in `https://example.org`. Defaults to none. */
  corsOrigins?: readonly string[]
  /**
   * Hosts that `webhook_url` of a job may name: `[https://]HOST[:PORT]`, where HOST may begin with `*.`; `http://HOST[:PORT]` for one
   * without TLS; or ranges of addresses that names may resolve to although they are not public (`10.0.0.0/8`). Defaults to none.
   */
  webhookAllow?: readonly string[]
  /**
   * What webhooks are signed with: `whsec_` and 24 to 64 bytes in base64. Several are separated by commas. Defaults to
   * WUERSTCHEN_WEBHOOK_SECRET. Needed with `webhookAllow`.
   */
  webhookSecret?: string
  /** Serve the web page at `/`. Defaults to `true`. */
  page?: boolean
  /** Other names of models, which clients may give as well: `{ 'gpt-image-1': 'wuerstchen' }`. Defaults to none. */
  aliases?: Readonly<Record<string, string>>
  /**
   * Refuse fields of OpenAI's API that change nothing here, instead of naming them in the reply's `ignored`. Defaults to `false`.
   */
  strictOpenai?: boolean
  /**
   * The address that clients reach this server's root by, for the addresses of `response_format: "url"`. Defaults to the host
   * that a request names.
   */
  publicUrl?: string
  /**
   * What the addresses of results are signed with, at least 16 characters. Defaults to WUERSTCHEN_URL_SECRET, else to a secret
   * that is drawn and ends with the process. Servers that share their results need the same.
   */
  urlSecret?: string
}

const NAMES = [
  'models',
  'queue',
  'results',
  'pipeline',
  'apiKeys',
  'allowUnauthenticated',
  'limits',
  'idleUnloadSeconds',
  'graceSeconds',
  'stallSeconds',
  'onStall',
  'trustProxy',
  'tls',
  'corsOrigins',
  'webhookAllow',
  'webhookSecret',
  'page',
  'aliases',
  'strictOpenai',
  'publicUrl',
  'urlSecret'
] as const

export interface CheckedOptions {
  models: { name: string | undefined; directory: string | URL | undefined }[]
  pipeline: PipelineOptions
  /** Undefined where the models are in this process. */
  queue: { address: QueueAddress; results: ResultsPlace } | undefined
  /** Undefined: the server serves its own machine alone, or everybody if that is allowed. */
  keys: ApiKeys | undefined
  allowUnauthenticated: boolean
  limits: Limits
  idleUnloadSeconds: number
  graceSeconds: number
  stallSeconds: number
  onStall: ((stall: Stall) => void) | undefined
  proxies: TrustedProxies | undefined
  tls: TlsFiles | undefined
  corsOrigins: string[]
  /** Undefined where none are sent. */
  webhooks: { allow: AllowList; keys: readonly Buffer[] } | undefined
  page: boolean
  aliases: ReadonlyMap<string, string>
  strictOpenai: boolean
  /** Without a slash at its end. */
  publicUrl: string | undefined
  urlSecret: string | undefined
}

/** @throws WuerstchenError INVALID_ARGUMENT */
export function serverOptions(options: unknown): CheckedOptions {
  const given = knownOptions('createServer', options, NAMES)
  const duration = (name: 'idleUnloadSeconds' | 'graceSeconds' | 'stallSeconds', fallback: number) =>
    optional(given[name], value => expectInteger(name, value, 0, 2_000_000)) ?? fallback
  const stallSeconds = duration('stallSeconds', 300)
  // Whoever listens relies on hearing of a stall.
  if (given.onStall !== undefined && stallSeconds === 0)
    throw invalid('stallSeconds', 'at least 1 beside onStall, or --exit-on-stall,', stallSeconds)
  return {
    models: given.models === undefined ? [{ name: undefined, directory: undefined }] : modelsOf(given.models),
    pipeline: pipelineOf(given.pipeline),
    queue: queueOf(given),
    keys: keysOf(given.apiKeys),
    allowUnauthenticated: optional(given.allowUnauthenticated, value => expectBoolean('allowUnauthenticated', value)) ?? false,
    limits: limitsOf(given.limits),
    idleUnloadSeconds: duration('idleUnloadSeconds', 0),
    graceSeconds: duration('graceSeconds', 60),
    stallSeconds,
    onStall: optional(given.onStall, value => expectFunction<(stall: Stall) => void>('onStall', value)),
    webhooks: webhooksOf(given.webhookAllow, given.webhookSecret),
    proxies: optional(given.trustProxy, value => new TrustedProxies(listOf('trustProxy', value))),
    tls: optional(given.tls, tlsFiles),
    corsOrigins: optional(given.corsOrigins, value => listOf('corsOrigins', value).map(expectOrigin)) ?? [],
    page: optional(given.page, value => expectBoolean('page', value)) ?? true,
    aliases: aliasesOf(given.aliases),
    strictOpenai: optional(given.strictOpenai, value => expectBoolean('strictOpenai', value)) ?? false,
    publicUrl: optional(given.publicUrl, expectPublicUrl),
    urlSecret: optional(given.urlSecret ?? (process.env['WUERSTCHEN_URL_SECRET'] || undefined), expectSecret)
  }
}

function queueOf({ queue, results, models, pipeline }: Readonly<Record<string, unknown>>): CheckedOptions['queue'] {
  if (queue === undefined) {
    if (results !== undefined) throw invalid('results', 'nothing without queue', results)
    return undefined
  }
  for (const [name, value] of Object.entries({ models, pipeline }))
    if (value !== undefined) throw invalid(name, 'nothing beside queue, whose workers have the models,', value)
  return { address: queueAddress(queue), results: resultsPlace(results) }
}

function webhooksOf(allow: unknown, given: unknown): CheckedOptions['webhooks'] {
  const entries = optional(allow, value => listOf('webhookAllow', value)) ?? []
  const environment = process.env['WUERSTCHEN_WEBHOOK_SECRET'] || undefined
  const secret = optional(given, value => expectString('webhookSecret', value)) ?? environment
  // Read even if it is not needed, so that a wrong one does not wait to be found.
  const keys = secret === undefined ? undefined : parseSecrets(secret)
  if (entries.length === 0) return undefined
  if (keys === undefined) throw invalid('webhookSecret', 'a secret to sign webhooks with, for there is webhookAllow,', secret)
  return { allow: new AllowList(entries), keys }
}

/** Checked here, because models are loaded in the background, when nobody waits for an error any more. */
function pipelineOf(value: unknown): PipelineOptions {
  const names = ['device', 'dtype', 'threads', 'residency', 'maxBatch', 'verify'] as const
  const options = knownOptions('createServer.pipeline', value, names)
  loadOptions(options)
  return options as PipelineOptions
}

function tlsFiles(value: unknown): TlsFiles {
  const { cert, key } = knownOptions('createServer.tls', value, ['cert', 'key'])
  return { cert: expectString('tls.cert', cert), key: expectString('tls.key', key) }
}

/** Compared with the header Origin, which never has a path. */
function expectOrigin(value: string, index: number): string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.origin === value && value !== 'null') return value
  throw invalid(`corsOrigins[${index}]`, 'an origin, as in https://example.org,', value)
}

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

function modelsOf(value: unknown): CheckedOptions['models'] {
  const entries = value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : []
  if (entries.length === 0) throw invalid('models', 'model directories by name, at least one', value)
  return entries.map(([name, directory]: [string, unknown]) => {
    if (!MODEL_NAME.test(name)) throw invalid('models', 'names of letters, digits, dots, dashes and underscores', name)
    // JavaScript puts these first in every object, and the first model is the default one.
    if (/^\d+$/.test(name) && entries.length > 1) throw invalid('models', 'names that are not numbers alone', name)
    return { name, directory: isUrl(`models.${name}`, directory) ? directory : expectString(`models.${name}`, directory) }
  })
}

function keysOf(given: unknown): ApiKeys | undefined {
  if (given instanceof ApiKeys) return given
  if (given !== undefined) return new ApiKeys(listOf('apiKeys', given))
  const text = process.env['WUERSTCHEN_API_KEYS'] ?? ''
  if (text === '') return undefined
  const entries = text
    .split(',')
    .map(key => key.trim())
    .filter(key => key !== '')
  if (entries.length === 0) throw invalid('WUERSTCHEN_API_KEYS', 'API keys, separated by commas,', text)
  return new ApiKeys(entries, index => `API key ${index + 1} of WUERSTCHEN_API_KEYS`)
}

/** Clients of other services name models `owner/name:version`, which no directory is called. */
const ALIAS = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/

function aliasesOf(value: unknown): ReadonlyMap<string, string> {
  if (value === undefined) return new Map()
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw invalid('aliases', 'names of models by alias', value)
  const entries = Object.entries(value).map(([alias, model]: [string, unknown]) => {
    if (!ALIAS.test(alias))
      throw invalid('aliases', 'names of letters, digits, dots, dashes, underscores, colons and slashes', alias)
    return [alias, expectString(`aliases.${alias}`, model)] as const
  })
  return new Map(entries)
}

function expectPublicUrl(value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  const parts = url === undefined ? '' : url.search + url.hash + url.username + url.password
  if (url === undefined || !/^https?:$/.test(url.protocol) || parts !== '')
    throw invalid('publicUrl', 'an address that begins with http:// or https:// and has no more than a path', value)
  return url.href.replace(/\/+$/, '')
}

function expectSecret(value: unknown): string {
  if (typeof value === 'string' && value.length >= 16) return value
  // Without the value: it may be a secret with one character too few.
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    'Expected a secret of at least 16 characters for urlSecret but it is something else',
    {
      subject: 'urlSecret'
    }
  )
}

function listOf(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw invalid(name, 'a list of strings', value)
  return [...value].map((item: unknown, index) => expectString(`${name}[${index}]`, item))
}
