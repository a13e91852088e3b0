import { json, until, withFakeServer } from '../fake-backend.js'

/** All that a server has to tell after it has done a bit of everything. */
export async function observedText(): Promise<string> {
  let text = ''
  await withFakeServer(
    { apiKeys: ['ann:ann-0123456789abcdef:admin'], limits: { requestsPerMinute: 3 } },
    async (app, backend) => {
      const headers = { authorization: 'Bearer ann-0123456789abcdef', 'content-type': 'application/json' }
      backend.automatic = true
      await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x', n: 2 }), headers })
      await app.inject({ url: '/v1/images/generations', ...json({ prompt: 7 }), headers })
      backend.automatic = false
      const failed = app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }), headers })
      await until(() => backend.runs.length === 2)
      backend.runs[1]!.fail(new TypeError('x'))
      await failed
      // One more than may come in a minute.
      await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }), headers })
      text = (await app.inject({ url: '/metrics', headers })).body
    }
  )
  return text
}
