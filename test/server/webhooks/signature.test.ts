import { expect, test } from 'vitest'
import { parseSecrets, signedHeaders } from '../../../lib/server/webhooks/signature.js'

// The test vector of the reference implementation's own tests (standard-webhooks, "sign function works").
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const SECONDS = 1614265330
const BODY = '{"test": 2432232314}'
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

test('messages are signed as the reference implementation of Standard Webhooks signs them', () => {
  expect(signedHeaders(ID, SECONDS, BODY, parseSecrets(SECRET))).toEqual({
    'webhook-id': ID,
    'webhook-timestamp': '1614265330',
    'webhook-signature': SIGNATURE
  })
})

test('with two secrets there are two signatures, so that receivers can change from one to the other', () => {
  const other = `whsec_${Buffer.alloc(64, 7).toString('base64')}`
  const { 'webhook-signature': signature } = signedHeaders(ID, SECONDS, BODY, parseSecrets(`${other}, ${SECRET}`))
  expect(signature!.split(' ')).toHaveLength(2)
  expect(signature!.split(' ')[1]).toBe(SIGNATURE)
})

test.each([
  '',
  'whsec_',
  'secret',
  SECRET.slice(6),
  `${SECRET}=`,
  'whsec_AAAA',
  `whsec_${Buffer.alloc(23).toString('base64')}`,
  `whsec_${Buffer.alloc(65).toString('base64')}`,
  `${SECRET},`
])('the secret %j is refused, and not repeated', secret => {
  let error: unknown
  try {
    parseSecrets(secret)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'webhookSecret' })
  if (secret.length > 6) expect((error as Error).message).not.toContain(secret)
})
