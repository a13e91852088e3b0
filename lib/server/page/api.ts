import { askForKey, storedKey } from './key.js'

/** An answer of the server that is an error, in OpenAI's form. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  /** The field that is meant. */
  readonly param: string | null

  constructor(status: number, code: string, param: string | null, message: string) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
  }
}

/** What is worth another try: the server cannot be reached, or the connection broke. */
export class Unreachable extends Error {}

interface Options {
  method?: string
  body?: unknown
  signal?: AbortSignal
}

/**
 * Sends a request to the server that the page came from, with the tab's API key; asks for one where the server wants it.
 * @throws Refusal, Unreachable, or the signal's reason
 */
export async function send(path: string, options: Options = {}): Promise<Response> {
  const key = storedKey()
  const response = await attempt(path, options, key)
  if (response.ok) return response
  const refusal = await readRefusal(response)
  if (refusal.status === 401 && refusal.code !== 'no_api_keys') {
    // Another request may have been given one meanwhile.
    if (storedKey() !== key || (await askForKey())) return send(path, options)
  }
  throw refusal
}

/** `send`, and the reply as JSON. Its shape is the server's promise, kept by the OpenAPI document. */
export async function sendForJson<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await send(path, options)).json()) as T
}

async function attempt(path: string, { method = 'GET', body, signal }: Options, key: string | null): Promise<Response> {
  try {
    return await fetch(new URL(path, document.baseURI), {
      method,
      cache: 'no-store',
      ...(signal === undefined ? {} : { signal }),
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
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
  const wait = response.headers.get('retry-after')
  const message = error?.message ?? `The server answered ${response.status}`
  return new Refusal(
    response.status,
    error?.code ?? 'unknown',
    error?.param ?? null,
    wait === null ? `${message}.` : `${message}. Try again in ${wait} s.`
  )
}
