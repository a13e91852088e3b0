import { describe, expect, test } from 'vitest'
import { has } from '../../support/programs.mjs'
import { AI_SDK, AI_SDK_COMPATIBLE, LANGCHAIN, OPENAI } from './node.js'
import { LANGCHAIN_PYTHON, OPENAI_PYTHON, WEBUIAPI } from './python.js'
import { LIBRECHAT, LITELLM, OPEN_WEBUI, SILLYTAVERN } from './sent.js'
import { documentedRows, VERSIONS, type Calls, type Client } from './table.js'

const CALLS: Readonly<Record<Client, Calls>> = {
  'openai (npm)': OPENAI,
  'openai (PyPI)': OPENAI_PYTHON,
  '@ai-sdk/openai': AI_SDK,
  '@ai-sdk/openai-compatible': AI_SDK_COMPATIBLE,
  '@langchain/openai': LANGCHAIN,
  'langchain-community': LANGCHAIN_PYTHON,
  webuiapi: WEBUIAPI,
  'LiteLLM, as sent': LITELLM,
  'Open WebUI, as sent': OPEN_WEBUI,
  'LibreChat, as sent': LIBRECHAT,
  'SillyTavern, as sent': SILLYTAVERN
}

/** What is installed beside this package; npm test says so where it is not. */
const INSTALLED: ReadonlySet<string> = new Set([
  ...['openai (PyPI)', '@ai-sdk/openai', '@ai-sdk/openai-compatible', '@langchain/openai', 'langchain-community', 'webuiapi']
])

const clients = Object.entries(CALLS) as [Client, Calls][]

describe.each(clients)('%s', (client, calls) => {
  const there = !INSTALLED.has(client) || has('test/clients')
  test.skipIf(!there).each(Object.entries(calls))('%s', async (_, { run }) => run())
})

test('the table of the documentation has a row for each of these runs, and no other', () => {
  const rows = clients.flatMap(([client, calls]) =>
    Object.entries(calls).map(([call, { result }]) => [client, VERSIONS[client], call, result])
  )
  expect(documentedRows()).toEqual(rows)
})
