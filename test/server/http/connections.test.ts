import { EventEmitter } from 'node:events'
import { Server as NetServer } from 'node:net'
import type { Server } from 'node:http'
import { expect, test, vi } from 'vitest'
import { Connections } from '../../../lib/server/http/connections.js'

test('a server that is no server of TCP, as in Bun, ends by its own close', async () => {
  const close = vi.fn()
  const server = Object.assign(new EventEmitter(), { close })
  expect(server).not.toBeInstanceOf(NetServer)
  const connections = new Connections(server as unknown as Server)
  connections.end()
  await connections.ended()
  expect(close).toHaveBeenCalledOnce()
})
