import type { FastifyReply } from 'fastify'
import { ApiError } from '../api/error.js'

/** Calls back when the client has left before its reply was complete. */
export function onClientGone(reply: FastifyReply, callback: (reason: ApiError) => void): void {
  reply.raw.once('close', () => {
    // Nobody reads it; it tells the log, and the job, what happened. The number is nginx's.
    if (!reply.raw.writableFinished) callback(new ApiError({ status: 499, code: 'client_gone' }, 'The client went away'))
  })
}
