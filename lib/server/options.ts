import type { PipelineOptions } from '../index.js'
import { invalid } from '../errors.js'
import { isUrl } from '../options/file-url.js'
import { expectBoolean, expectFunction, expectInteger, expectString, optional } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { parseKeys, type ApiKey } from './http/keys.js'
import { limitsOf, type Limits } from './limits.js'
import { AllowList } from './webhooks/allow-list.js'
import { parseSecrets } from './webhooks/signature.js'
import type { Stall } from './watchdog.js'

/** Options of `createServer` and of the plugin. */
export interface ServerOptions {
  /**
   * Model directories by the names that requests give; the first is meant where they give none.
   * Defaults to WUERSTCHEN_MODEL, else the packaged model, by its own name.
   */
  models?: Readonly<Record<string, string | URL>>
  /** How models are loaded. Those of `Pipeline.load`, less `signal` and `onProgress`. */
  pipeline?: Omit<PipelineOptions, 'signal' | 'onProgress'>
  /**
   * API keys, `[name:]key[:admin]` each. Defaults to WUERSTCHEN_API_KEYS, separated by commas. Without any, requests from this
   * machine need none.
   */
  apiKeys?: readonly string[]
  /** Serves whoever can connect, without a key. Defaults to `false`. For servers behind something that asks for one. */
  allowUnauthenticated?: boolean
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
   * one ends is up to you. `process.exit()` waits for the engine.
   */
  onStall?: (stall: Stall) => void
  /** Origins of pages elsewhere that may call the API. Defaults to none. */
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
}

const NAMES = [
  'models',
  'pipeline',
  'apiKeys',
  'allowUnauthenticated',
  'limits',
  'idleUnloadSeconds',
  'graceSeconds',
  'stallSeconds',
  'onStall',
  'corsOrigins',
  'webhookAllow',
  'webhookSecret',
  'page'
] as const

export interface CheckedOptions {
  models: { name: string | undefined; directory: string | URL | undefined }[]
  pipeline: PipelineOptions
  keys: ApiKey[]
  allowUnauthenticated: boolean
  limits: Limits
  idleUnloadSeconds: number
  graceSeconds: number
  stallSeconds: number
  onStall: ((stall: Stall) => void) | undefined
  corsOrigins: string[]
  /** Undefined where none are sent. */
  webhooks: { allow: AllowList; keys: readonly Buffer[] } | undefined
  page: boolean
}

/** @throws WuerstchenError INVALID_ARGUMENT */
export function serverOptions(options: unknown): CheckedOptions {
  const given = knownOptions('createServer', options, NAMES)
  const duration = (name: 'idleUnloadSeconds' | 'graceSeconds' | 'stallSeconds', fallback: number) =>
    optional(given[name], value => expectInteger(name, value, 0, 2_000_000)) ?? fallback
  const fromEnvironment = (process.env['WUERSTCHEN_API_KEYS'] ?? '')
    .split(',')
    .map(key => key.trim())
    .filter(key => key !== '')
  return {
    models: given.models === undefined ? [{ name: undefined, directory: undefined }] : modelsOf(given.models),
    pipeline: knownOptions('createServer.pipeline', given.pipeline, [
      'device',
      'dtype',
      'threads',
      'residency',
      'maxBatch',
      'verify'
    ]) as PipelineOptions,
    keys: parseKeys(given.apiKeys === undefined ? fromEnvironment : listOf('apiKeys', given.apiKeys)),
    allowUnauthenticated: optional(given.allowUnauthenticated, value => expectBoolean('allowUnauthenticated', value)) ?? false,
    limits: limitsOf(given.limits),
    idleUnloadSeconds: duration('idleUnloadSeconds', 0),
    graceSeconds: duration('graceSeconds', 60),
    stallSeconds: duration('stallSeconds', 300),
    onStall: optional(given.onStall, value => expectFunction<(stall: Stall) => void>('onStall', value)),
    corsOrigins: optional(given.corsOrigins, value => listOf('corsOrigins', value)) ?? [],
    webhooks: webhooksOf(given.webhookAllow, given.webhookSecret),
    page: optional(given.page, value => expectBoolean('page', value)) ?? true
  }
}

function webhooksOf(allow: unknown, given: unknown): CheckedOptions['webhooks'] {
  const entries = optional(allow, value => listOf('webhookAllow', value)) ?? []
  const secret = optional(given, value => expectString('webhookSecret', value)) ?? process.env['WUERSTCHEN_WEBHOOK_SECRET']
  // Read even if it is not needed, so that a wrong one does not wait to be found.
  const keys = secret === undefined ? undefined : parseSecrets(secret)
  if (entries.length === 0) return undefined
  if (keys === undefined) throw invalid('webhookSecret', 'a secret to sign webhooks with, for there is webhookAllow,', secret)
  return { allow: new AllowList(entries), keys }
}

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

function modelsOf(value: unknown): CheckedOptions['models'] {
  const entries = value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : []
  if (entries.length === 0) throw invalid('models', 'model directories by name, at least one', value)
  return entries.map(([name, directory]: [string, unknown]) => {
    if (!MODEL_NAME.test(name)) throw invalid('models', 'names of letters, digits, dots, dashes and underscores', name)
    return { name, directory: isUrl(`models.${name}`, directory) ? directory : expectString(`models.${name}`, directory) }
  })
}

function listOf(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw invalid(name, 'a list of strings', value)
  return [...value].map((item: unknown, index) => expectString(`${name}[${index}]`, item))
}
