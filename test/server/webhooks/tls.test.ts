import { createServer as serveTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { AllowList } from '../../../lib/server/webhooks/allow-list.js'
import { post } from '../../../lib/server/webhooks/post.js'

/** Of hooks.example.com, signed by nobody else, for a hundred years: openssl req -x509 -newkey ec -nodes -days 36500. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6qbZ+rfIPLzNzemF
bGM9UKz6AEIuDUioNI9eFbGLps2hRANCAATZURjaBM3R3UIOWb76sKHSxNsWKwZA
7VnMyr8xXh0h8sfEqNIVhMjIFtxi8E0lERuu1BEZYIZgKaDb/iauSG0a
-----END PRIVATE KEY-----`
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBrTCCAVOgAwIBAgIUBT5Uma9pbqDRsYQoglc4buccssMwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRaG9va3MuZXhhbXBsZS5jb20wIBcNMjYxMTI4MjAyMDEzWhgP
MjEyNjExMDQyMDIwMTNaMBwxGjAYBgNVBAMMEWhvb2tzLmV4YW1wbGUuY29tMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2VEY2gTN0d1CDlm++rCh0sTbFisGQO1Z
zMq/MV4dIfLHxKjSFYTIyBbcYvBNJREbrtQRGWCGYCmg2/4mrkhtGqNxMG8wHQYD
VR0OBBYEFIeAfMMgj2ir12rYsZAeyfV8tDuYMB8GA1UdIwQYMBaAFIeAfMMgj2ir
12rYsZAeyfV8tDuYMA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRaG9va3Mu
ZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDSAAwRQIgfxqHlvudqGiqwkbvFv5248Pe
0fxflrwys0rk2mDNUuQCIQCAdNyVa4WnNdoKCEue5zEhojbGCDNJAm5zL0ZxjUJw
Vg==
-----END CERTIFICATE-----`

const lookUp = ((_name: string, _options: object, callback: (error: null, addresses: object[]) => void) => {
  callback(null, [{ address: '127.0.0.1', family: 4 }])
}) as never

test.each([
  ['hooks.example.com', CERTIFICATE, 200],
  ['hooks.example.com', undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['other.example.com', CERTIFICATE, 'ERR_TLS_CERT_ALTNAME_INVALID']
])('a message to %s goes only to who can show its certificate', async (host, ca, expected) => {
  const bodies: string[] = []
  const server = serveTls({ key: KEY, cert: CERTIFICATE }, (request, reply) => {
    request.on('data', chunk => bodies.push(String(chunk))).on('end', () => reply.end())
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  // What is meant for the rest of a process must not turn the check off.
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  try {
    const allow = new AllowList([`${host}:${port}`, '127.0.0.1/32'])
    const options = { allow, lookUp, signal: AbortSignal.timeout(20_000), ...(ca === undefined ? {} : { ca }) }
    const answer = await post(new URL(`https://${host}:${port}/`), {}, 'x', options).catch(
      (error: { code: string }) => error.code
    )
    expect([answer, bodies]).toEqual([expected, expected === 200 ? ['x'] : []])
  } finally {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    server.close()
  }
})
