import type { PipelineOptions } from '../index.js'
import { invalid, WuerstchenError } from '../errors.js'
import { isUrl } from '../options/file-url.js'
import { expectBoolean, expectFunction, expectInteger, expectString, optional } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { parseKeys, type ApiKey } from './http/keys.js'
import { limitsOf, type Limits } from './limits.js'
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
  'pipeline',
  'apiKeys',
  'allowUnauthenticated',
  'limits',
  'idleUnloadSeconds',
  'graceSeconds',
  'stallSeconds',
  'onStall',
  'corsOrigins',
  'page',
  'aliases',
  'strictOpenai',
  'publicUrl',
  'urlSecret'
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
    page: optional(given.page, value => expectBoolean('page', value)) ?? true,
    aliases: aliasesOf(given.aliases),
    strictOpenai: optional(given.strictOpenai, value => expectBoolean('strictOpenai', value)) ?? false,
    publicUrl: optional(given.publicUrl, expectPublicUrl),
    urlSecret: optional(given.urlSecret ?? (process.env['WUERSTCHEN_URL_SECRET'] || undefined), expectSecret)
  }
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
