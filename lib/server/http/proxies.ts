import { BlockList, isIP } from 'node:net'
import { invalid } from '../../errors.js'

const LOOPBACK = ['127.0.0.0/8', '::1']

/** The proxies whose word counts for who a request is from. */
export class TrustedProxies {
  readonly #addresses = new BlockList()
  readonly #unix: boolean

  /**
   * @param entries addresses, ranges (`10.0.0.0/8`), `loopback`, and `unix` for whoever connects to a unix socket
   * @throws WuerstchenError INVALID_ARGUMENT
   */
  constructor(entries: readonly string[]) {
    if (entries.length === 0) throw refused(0, undefined)
    this.#unix = entries.includes('unix')
    for (const [index, entry] of entries.entries()) {
      if (entry === 'unix') continue
      for (const range of entry === 'loopback' ? LOOPBACK : [entry]) {
        const [, address = '', bits] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(range) ?? []
        const family = isIP(address)
        const most = family === 4 ? 32 : 128
        // A range of all addresses would believe everybody, and everybody may say that they are this machine.
        if (family === 0 || (bits !== undefined && (Number(bits) > most || Number(bits) === 0))) throw refused(index, entry)
        this.#addresses.addSubnet(address, Number(bits ?? most), family === 4 ? 'ipv4' : 'ipv6')
      }
    }
  }

  /** @param address undefined: the connection is one to a unix socket */
  trusts(address: string | undefined): boolean {
    if (address === undefined) return this.#unix
    const plain = address.replace(/%.*$/, '')
    const family = isIP(plain)
    return family !== 0 && this.#addresses.check(plain, family === 4 ? 'ipv4' : 'ipv6')
  }
}

function refused(index: number, entry: string | undefined): Error {
  const forms = 'addresses of proxies, ranges of them such as 10.0.0.0/8 (but not of all), loopback or unix'
  return invalid(`trustProxy[${index}]`, forms, entry)
}
