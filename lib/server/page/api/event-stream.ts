import { Unreachable } from './send.js'

export interface StreamEvent {
  event: string
  data: unknown
}

/** The server says something every 15 s. A laptop that slept keeps a connection on which nothing comes any more. */
const LONGEST_SILENCE_MS = 45_000

/** Server-sent events of a reply. EventSource cannot send the header that an API key travels in. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunksOf(body)) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const event = parseBlock(block)
      if (event !== undefined) yield event
    }
  }
}

/** Not every browser can iterate over a stream. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await soon(reader.read())
      if (done) return
      yield value
    }
  } catch (error) {
    throw new Unreachable('The connection broke.', { cause: error })
  } finally {
    void reader.cancel().catch(() => {})
  }
}

async function soon<T>(read: Promise<T>): Promise<T> {
  let timer = 0
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unreachable('The connection is dead.')), LONGEST_SILENCE_MS)
  })
  try {
    return await Promise.race([read, silence])
  } finally {
    clearTimeout(timer)
  }
}

/** Comments, which keep the connection alive, are no events. */
function parseBlock(block: string): StreamEvent | undefined {
  let event = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7)
    if (line.startsWith('data: ')) data.push(line.slice(6))
  }
  return data.length === 0 ? undefined : { event, data: JSON.parse(data.join('\n')) as unknown }
}
