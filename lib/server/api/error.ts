/** The kinds of error in OpenAI's API. */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'server_error'

export interface ApiErrorFacts {
  status: number
  code: string
  /** The field that is meant. */
  param?: string
  /** Seconds after which it is worth another try. */
  retryAfter?: number
}

/**
 * An answer that is not what was asked for. Whoever asked reads its message, so it says nothing of this machine. Its cause is for
 * the log.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly param: string | null
  readonly retryAfter: number | undefined

  constructor({ status, code, param, retryAfter }: ApiErrorFacts, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.code = code
    this.param = param ?? null
    this.retryAfter = retryAfter
  }

  get type(): ApiErrorType {
    switch (this.status) {
      case 401:
        return 'authentication_error'
      case 403:
        return 'permission_error'
      case 429:
        return 'rate_limit_error'
      default:
        return this.status < 500 ? 'invalid_request_error' : 'server_error'
    }
  }

  /**
   * Whether another try can help, as OpenAI's clients ask for it in x-should-retry: by themselves they repeat every 409 and 5xx.
   * Undefined for a fault of the server, of which nobody knows.
   */
  get shouldRetry(): boolean | undefined {
    if (this.retryAfter !== undefined) return true
    return this.status === 500 ? undefined : false
  }

  /** The body of the reply. */
  toJSON() {
    const { message, type, param, code } = this
    return { error: { message, type, param, code } }
  }
}

/** A field of a request that cannot be used. */
export function invalidField(param: string, code: string, message: string): ApiError {
  return new ApiError({ status: 400, code, param }, message)
}

/** @param param the field, as the request spells it */
export function unknownModel(param: string): ApiError {
  return new ApiError({ status: 404, code: 'model_not_found', param }, `Expected one of the names in /v1/models for ${param}`)
}
