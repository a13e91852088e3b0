import { describe, expect, test } from 'vitest'
import { AllowList } from '../../../lib/server/webhooks/allow-list.js'
import { isPublicAddress } from '../../../lib/server/webhooks/special-addresses.js'

/**
 * The first and the last address of every block of IANA's special-purpose registries (iana-ipv4-special-registry and
 * iana-ipv6-special-registry, as of 2025), of multicast, and of what clouds have their metadata on.
 */
const SPECIAL = [
  ...['0.0.0.0', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.0.0.0', '127.255.255.255'],
  ...['169.254.0.0', '169.254.255.255', '172.16.0.0', '172.31.255.255', '192.0.0.0', '192.0.0.255', '192.0.2.0', '192.0.2.255'],
  ...['192.31.196.0', '192.31.196.255', '192.52.193.0', '192.52.193.255', '192.88.99.0', '192.88.99.255', '192.168.0.0'],
  ...['192.168.255.255', '192.175.48.0', '192.175.48.255', '198.18.0.0', '198.19.255.255', '198.51.100.0', '198.51.100.255'],
  ...['203.0.113.0', '203.0.113.255', '224.0.0.0', '239.255.255.255', '240.0.0.0', '255.255.255.254', '255.255.255.255'],
  ...['::', '::1', '::2', '::7f00:1', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff', '100::', '100::ffff:ffff:ffff:ffff'],
  ...['100:0:0:1::', '2001::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ...['2002::', '2002:7f00:1::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2620:4f:8000::', '2620:4f:8000:ffff::', '3fff::'],
  ...['3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', '5f00::', '5f00:ffff::', 'fc00::', 'fdff:ffff::', 'fe80::', 'febf::', 'fec0::'],
  ...['ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '4000::', '1fff:ffff::'],
  // AWS, GCP and Azure; Alibaba; Oracle; AWS over IPv6; Azure's agent.
  ...['169.254.169.254', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', '168.63.129.16']
]
const PUBLIC = [
  ...['1.0.0.0', '9.255.255.255', '11.0.0.0', '93.184.216.34', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
  ...[
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.0.3.0',
    '192.167.255.255',
    '192.169.0.0'
  ],
  ...['198.17.255.255', '198.20.0.0', '203.0.112.255', '203.0.114.0', '223.255.255.255', '168.63.129.15', '8.8.8.8'],
  ...[
    '2000::1',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2001:db7:ffff::1',
    '2001:db9::1',
    '2003::1',
    '2606:4700::1111',
    '3ffe::1'
  ]
]
const ipv4 = (addresses: readonly string[]) => addresses.filter(address => !address.includes(':'))

describe('an address', () => {
  test.each(SPECIAL)('%s is not public', address => expect(isPublicAddress(address)).toBe(false))
  test.each(PUBLIC)('%s is public', address => expect(isPublicAddress(address)).toBe(true))

  test.each(['::ffff:', '64:ff9b::', '0:0:0:0:0:FFFF:', '0064:FF9B:0:0::'])(
    'behind %s is what the IPv4 address within is',
    prefix => {
      for (const address of ipv4(SPECIAL)) expect([address, isPublicAddress(prefix + address)]).toEqual([address, false])
      for (const address of ipv4(PUBLIC)) expect([address, isPublicAddress(prefix + address)]).toEqual([address, true])
    }
  )

  test.each([
    '',
    'localhost',
    '127.1',
    '0x7f000001',
    '1.2.3',
    '1.2.3.4.5',
    'fe80::1%eth0',
    '2606:4700::1111%eth0',
    '[::1]',
    '::g'
  ])('%j is none that is connected to', text => expect(isPublicAddress(text)).toBe(false))
})

describe('a list of hosts', () => {
  const list = new AllowList([
    'hooks.example.com',
    '*.example.org',
    'https://other.example.com:8443',
    'http://plain.example.com',
    '93.184.216.34',
    'http://127.0.0.1:9000',
    '[2606:4700::1111]:444',
    '10.1.0.0/16',
    'fd00::/8'
  ])

  test.each([
    'https://hooks.example.com/a?b=c',
    'https://HOOKS.example.com:443/',
    'https://hooks.example.com./',
    'https://a.example.org',
    'https://a.b.example.org',
    'https://other.example.com:8443/',
    'http://plain.example.com/x',
    'https://93.184.216.34/',
    'https://0x5db8d822/',
    'http://127.0.0.1:9000/x',
    'https://[2606:4700:0:0:0:0:0:1111]:444/'
  ])('has %s', text => expect(list.accept(text)?.href).toBe(new URL(text).href))

  test.each([
    'http://hooks.example.com/',
    'https://hooks.example.com:8443/',
    'https://example.org/',
    'https://evilexample.org/',
    'https://example.org.evil.example/',
    'https://hooks.example.com.evil.example/',
    'https://hooks.example.com@evil.example/',
    'https://user@hooks.example.com/',
    'https://user:word@hooks.example.com/',
    'https://evil.example/#hooks.example.com',
    'https://evil.example\\@hooks.example.com/',
    'https://other.example.com/',
    'https://plain.example.com/',
    'http://127.0.0.1/',
    'http://127.0.0.1:9001/',
    'https://10.1.2.3/',
    'https://[fd00::1]/',
    'https://localhost/',
    'https://[::ffff:93.184.216.34]/',
    'ftp://hooks.example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'unix:/run/docker.sock',
    '//hooks.example.com/',
    'hooks.example.com',
    '/v1/jobs',
    ''
  ])('has not %s', text => expect(list.accept(text)).toBeUndefined())

  test('lets nobody reach what is not public, except for what is listed', () => {
    for (const address of ['93.184.216.34', '8.8.8.8', '127.0.0.1', '10.1.2.3', 'fd12::1', '2606:4700::1111'])
      expect([address, list.reaches(address)]).toEqual([address, true])
    for (const address of ['127.0.0.2', '10.2.0.1', '169.254.169.254', 'fe80::1', '::1', 'fd12::1%eth0'])
      expect([address, list.reaches(address)]).toEqual([address, false])
  })

  test.each([
    '',
    ' ',
    'https://',
    'a b',
    'host:99999',
    'host:0',
    'ftp://host',
    'https://host/path',
    '10.0.0.0/33',
    '10.0.0/8',
    '::/129',
    '*',
    '*.',
    'a..b',
    'user@host',
    '1.2.3.4.5',
    '256.1.1.1'
  ])('refuses the entry %j', entry => {
    expect(() => new AllowList(['ok.example.com', entry])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', subject: 'webhookAllow[1]' })
    )
  })
})
