import { BlockList, isIP } from 'node:net'

/**
 * IANA's IPv4 special-purpose address registry, multicast (RFC 5771), and what lies within public space but is of the network
 * around a machine. Blocks that IANA calls globally reachable are among them too: nobody's service is there.
 */
const SPECIAL_IPV4: readonly (readonly [net: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Among it 169.254.169.254, where clouds give credentials to whoever asks from within.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // Azure's host agent, which is no public service although its address is public.
  ['168.63.129.16', 32]
]

/** What IANA has given out for global unicast. Everything else is special, or nobody's. */
const GLOBAL_IPV6 = ['2000::', 3] as const

/** IANA's IPv6 special-purpose address registry, as far as it lies within global unicast. */
const SPECIAL_IPV6: readonly (readonly [net: string, bits: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4 has an IPv4 address within, which a relay would go on to.
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20]
]

/** IPv6 addresses whose last 32 bits are an IPv4 address that is really meant: mapped ones, and NAT64 (RFC 6052). */
const WITH_IPV4 = ['::ffff:', '64:ff9b::'] as const
const IPV4_BITS_BEFORE = 96

const reachable = new BlockList()
reachable.addSubnet(...GLOBAL_IPV6, 'ipv6')
const special = new BlockList()
for (const [net, bits] of SPECIAL_IPV6) special.addSubnet(net, bits, 'ipv6')
for (const [net, bits] of SPECIAL_IPV4) special.addSubnet(net, bits, 'ipv4')
for (const prefix of WITH_IPV4) {
  reachable.addSubnet(`${prefix}0.0.0.0`, IPV4_BITS_BEFORE, 'ipv6')
  for (const [net, bits] of SPECIAL_IPV4) special.addSubnet(`${prefix}${net}`, IPV4_BITS_BEFORE + bits, 'ipv6')
}

/** Whether an address is one of the public internet. What is no address is none, and one with a zone is of this network. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special.check(address, 'ipv4')
    case 6:
      return !address.includes('%') && reachable.check(address, 'ipv6') && !special.check(address, 'ipv6')
    default:
      return false
  }
}
