import { askForKey, declined, storedKey } from './key.js'

/** An answer of the server that is an error, in OpenAI's form. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  /** The field that is meant. */
  readonly param: string | null
  /** Seconds after which the server wants to be asked again; undefined: asking again does not help. */
  readonly retryAfter: number | undefined

  constructor(status: number, code: string, param: string | null, message: string, retryAfter?: number) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
    this.retryAfter = retryAfter
  }

  /** Whether a key, or another one, is wanted. */
  get wantsKey(): boolean {
    return this.status === 401 && this.code !== 'no_api_keys'
  }
}

/** What is worth another try: the server cannot be reached, or the connection broke. */
export class Unreachable extends Error {}

interface Options {
  method?: string
  body?: unknown
  signal?: AbortSignal
  headers?: Record<string, string>
}

/** What a proxy answers while there is no server behind it. */
const NO_SERVER = [502, 503, 504]

/**
 * Sends a request to the server that the page came from, with the tab's API key; asks for one where the server wants it,
 * unless somebody has said that there is none.
 * @throws Refusal, Unreachable, or the signal's reason
 */
export async function send(path: string, options: Options = {}): Promise<Response> {
  const key = storedKey()
  const response = await attempt(path, options, key)
  if (response.ok) return response
  const refusal = await readRefusal(response)
  // Another request may have been given a key meanwhile.
  if (refusal.wantsKey && (storedKey() !== key || (!declined() && (await askForKey())))) return send(path, options)
  throw refusal
}

/** `send`, and the reply as JSON. Its shape is the server's promise, kept by the OpenAPI document. */
export async function sendForJson<T>(path: string, options: Options = {}): Promise<T> {
  const response = await send(path, options)
  try {
    return (await response.json()) as T
  } catch (error) {
    options.signal?.throwIfAborted()
    throw new Unreachable('The connection broke.', { cause: error })
  }
}

async function attempt(path: string, options: Options, key: string | null): Promise<Response> {
  const { method = 'GET', body, signal, headers } = options
  try {
    return await fetch(new URL(path, document.baseURI), {
      method,
      cache: 'no-store',
      ...(signal === undefined ? {} : { signal }),
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
  } catch (error) {
    signal?.throwIfAborted()
    throw new Unreachable('The server cannot be reached.', { cause: error })
  }
}

async function readRefusal(response: Response): Promise<Refusal> {
  const { error } = (await response.json().catch(() => ({}))) as {
    error?: { code?: string; param?: string | null; message?: string }
  }
  if (error === undefined && NO_SERVER.includes(response.status)) throw new Unreachable('The server does not answer.')
  const wait = response.headers.get('retry-after')
  const message = error?.message ?? `The server answered ${response.status}`
  return new Refusal(
    response.status,
    error?.code ?? 'unknown',
    error?.param ?? null,
    sentence(message),
    wait === null || !(Number(wait) >= 0) ? undefined : Number(wait)
  )
}

/** A message of the server with a full stop, however it ends. */
export function sentence(message: string): string {
  return message.replace(/[.\s]*$/, '.')
}
