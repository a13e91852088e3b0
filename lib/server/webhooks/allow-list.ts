import { BlockList, isIP } from 'node:net'
import { invalid } from '../../errors.js'
import { isPublicAddress } from './special-addresses.js'

const DEFAULT_PORTS = { https: '443', http: '80' } as const
type Scheme = keyof typeof DEFAULT_PORTS

/** Of a name in DNS (RFC 1035, 2.3.4). What is longer can be nobody's, and would be a key of a queue. */
const LONGEST_NAME = 253

/** Where webhooks may go, by what an address says. */
interface Place {
  scheme: Scheme
  /** In lower case; begins with a dot where any name below is meant. */
  host: string
  port: string
}

const ENTRY =
  /^(?:(?<scheme>https?):\/\/)?(?<host>\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?<port>\d{1,5}))?$/i
const RANGE = /^(?<net>[0-9a-f:.]+)\/(?<bits>\d{1,3})$/i

/**
 * The hosts that webhooks may be sent to. An entry is `[https://]HOST[:PORT]`, where HOST is a name, an address, or `*.` and a name
 * for all below it, `http://HOST[:PORT]` for one without TLS, or a range of addresses (`10.0.0.0/8`).
 *
 * A name alone lets nobody reach what is not public: the addresses that it resolves to have to be public or in the list too.
 */
export class AllowList {
  readonly #places: Place[] = []
  readonly #addresses = new BlockList()

  /** @throws WuerstchenError INVALID_ARGUMENT */
  constructor(entries: readonly string[]) {
    for (const [index, entry] of entries.entries()) this.#add(`webhookAllow[${index}]`, entry)
  }

  /** The address to send to, or undefined where it is none that is in the list. */
  accept(text: string): URL | undefined {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url === undefined || url.username !== '' || url.password !== '') return undefined
    const scheme = url.protocol.slice(0, -1)
    if (scheme !== 'https' && scheme !== 'http') return undefined
    const host = hostOf(url)
    if (host.length > LONGEST_NAME) return undefined
    const port = url.port === '' ? DEFAULT_PORTS[scheme] : url.port
    const listed = this.#places.some(
      place =>
        place.scheme === scheme &&
        place.port === port &&
        (place.host === host || (place.host.startsWith('.') && host.endsWith(place.host) && host !== place.host))
    )
    return listed ? url : undefined
  }

  /** Whether a connection to this address may be opened. */
  reaches(address: string): boolean {
    const family = isIP(address)
    if (family === 0 || address.includes('%')) return false
    return isPublicAddress(address) || this.#addresses.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }

  #add(name: string, entry: string): void {
    const range = RANGE.exec(entry)?.groups
    const place = ENTRY.exec(isIP(entry) === 6 ? `[${entry}]` : entry)?.groups
    if (range !== undefined && isIP(range['net']!) !== 0) {
      const family = isIP(range['net']!)
      if (Number(range['bits']) > (family === 4 ? 32 : 128)) throw refused(name, entry)
      this.#addresses.addSubnet(range['net']!, Number(range['bits']), family === 4 ? 'ipv4' : 'ipv6')
    } else if (place !== undefined) {
      const scheme = (place['scheme']?.toLowerCase() ?? 'https') as Scheme
      const port = place['port'] ?? DEFAULT_PORTS[scheme]
      const text = place['host']!.replace(/^\*\./, 'any.')
      if (Number(port) < 1 || Number(port) > 65_535 || !URL.canParse(`${scheme}://${text}`)) throw refused(name, entry)
      // As addresses are read: 127.1 is 127.0.0.1 there too.
      const host = hostOf(new URL(`${scheme}://${text}`))
      const family = isIP(host)
      if (family !== 0) this.#addresses.addAddress(host, family === 4 ? 'ipv4' : 'ipv6')
      this.#places.push({ scheme, port, host: place['host']!.startsWith('*.') ? host.slice('any'.length) : host })
    } else throw refused(name, entry)
  }
}

/** Its name or address, without the brackets of IPv6 and without the dot behind a full name. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
}

function refused(name: string, entry: string): Error {
  return invalid(name, '[https://|http://]HOST[:PORT], where HOST may begin with *., or a range of addresses', entry)
}
