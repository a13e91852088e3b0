import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { ServerEvent } from '../api/events.js'
import { toApiError } from '../api/statuses.js'
import { trailOf, type Trail } from './trail.js'
import type { UnreadEvents } from './unread-events.js'

/** Proxies take a connection without traffic for a dead one. */
const HEARTBEAT_MS = 15_000

/**
 * Sends events as they come, until there are no more; one that fails is followed by an event with the error.
 * @param unread counts what the client has not read, where nothing else does
 */
export function sendEvents(
  reply: FastifyReply,
  events: (signal: AbortSignal) => AsyncIterable<ServerEvent>,
  unread?: UnreadEvents
): FastifyReply {
  const gone = new AbortController()
  void reply.over.then(() => gone.abort())
  const trail = trailOf(reply.request)!
  trail.stream()
  return (
    reply
      .header('cache-control', 'no-store')
      // nginx would keep events back until its buffer is full.
      .header('x-accel-buffering', 'no')
      .type('text/event-stream; charset=utf-8')
      .send(Readable.from(lines(events(gone.signal), trail, unread), { objectMode: false }))
  )
}

async function* lines(
  events: AsyncIterable<ServerEvent>,
  trail: Trail,
  unread: UnreadEvents | undefined
): AsyncGenerator<string, void, undefined> {
  const iterator = events[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    // Something at once, so that the reply's headers leave before the first event is there.
    yield ': events follow\n\n'
    for (;;) {
      const result = await within(HEARTBEAT_MS, next)
      if (result === undefined) {
        yield ': still here\n\n'
        continue
      }
      if (result.done === true) return
      const { event, data, id } = result.value
      const line = `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
      unread?.add(line.length)
      yield line
      next = iterator.next()
    }
  } catch (error) {
    // Its status was sent long ago: the log says how it really ended.
    trail.failed(error)
    yield `event: error\ndata: ${JSON.stringify(toApiError(error))}\n\n`
  } finally {
    await iterator.return?.()
  }
}

/** What the promise resolves to, or undefined where it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>(resolve => {
        timer = setTimeout(resolve, ms, undefined)
      })
    ])
  } finally {
    clearTimeout(timer)
  }
}
