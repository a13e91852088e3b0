import { setImmediate as nextTurn } from 'node:timers/promises'
import { SaxesParser } from 'saxes'
import { withoutPadding } from './text-bytes.js'

/** The namespaces that are read and written. */
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
const NOTE = 'http://ns.adobe.com/xmp/note/'
const IPTC = 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/'
/** Namespaces of XMP end in / or #. exiv2 adds the slash where it is missing, as it was in files of version 0.1.0. */
const OURS = 'urn:wuerstchen:generation:1/'

/** What a packet says of the image. */
export interface XmpFacts {
  /** Our parameters as JSON. */
  json?: string
  /** IPTC's address for the kind of source. */
  sourceType?: string
  /** The digest of the extended packet that belongs to this one. */
  extension?: string
}

const PROPERTIES: ReadonlyMap<string, keyof XmpFacts> = new Map([
  [`${OURS}wuerstchen`, 'json'],
  [`${OURS.slice(0, -1)}wuerstchen`, 'json'],
  [`${IPTC}DigitalSourceType`, 'sourceType'],
  [`${NOTE}HasExtendedXMP`, 'extension']
])

/** @param facts ASCII without &, < and >, which would need XML's escapes */
export function xmpPacket(facts: XmpFacts): string {
  return (
    '<?xpacket begin="\u{feff}" id="W5M0MpCehiHzreSzNTczkc9d"?>' +
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${RDF}"><rdf:Description rdf:about="" xmlns:wuerstchen="${OURS}" ` +
    `xmlns:Iptc4xmpExt="${IPTC}" xmlns:xmpNote="${NOTE}">` +
    element('Iptc4xmpExt:DigitalSourceType', facts.sourceType) +
    element('xmpNote:HasExtendedXMP', facts.extension) +
    element('wuerstchen:wuerstchen', facts.json) +
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
  )
}

function element(name: string, value: string | undefined): string {
  return value === undefined ? '' : `<${name}>${value}</${name}>`
}

/** Longer packets are not read. Our own are shorter, also where a tool has escaped every quote in them. */
const LONGEST = 8 * 1024 * 1024
/** A property is six elements deep where it has qualifiers. */
const DEEPEST = 64
/** Cameras and raw converters write hundreds of attributes in an element. */
const MOST_ATTRIBUTES = 4096
/** After so many characters the event loop gets a turn. */
const SLICE = 128 * 1024

/**
 * The properties in an XMP packet, in each form that XMP allows for them (ISO 16684-1): as element or as attribute of a
 * description, with qualifiers, under any prefix, with any escapes of XML. A packet that is not sound has none. A document type
 * is refused, because only it can declare entities, and XMP has none.
 */
export async function readXmp(packet: Buffer): Promise<XmpFacts> {
  if (packet.length > LONGEST) return {}
  const facts: XmpFacts = {}
  const parser = parserFor((name, value) => {
    const fact = PROPERTIES.get(name)
    if (fact !== undefined) facts[fact] ??= value
  })
  const text = packetText(packet)
  try {
    for (let at = 0; at < text.length; at += SLICE) {
      if (at > 0) await nextTurn()
      parser.write(text.slice(at, at + SLICE))
    }
    parser.close()
  } catch {
    return {}
  }
  return facts
}

/** @param keep gets each simple property, its name behind its namespace */
function parserFor(keep: (name: string, value: string) => void): SaxesParser<{ xmlns: true }> {
  const open: Open[] = []
  let attributes = 0
  const parser = new SaxesParser({ xmlns: true })
  parser.on('error', error => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('XMP has no document type')
  })
  parser.on('opentagstart', () => {
    if (open.length >= DEEPEST) throw new Error('XMP is not nested so deep')
    attributes = 0
  })
  // saxes keeps all attributes of an element until its end.
  parser.on('attribute', () => {
    if (++attributes > MOST_ATTRIBUTES) throw new Error('XMP has no elements with so many attributes')
  })
  parser.on('opentag', ({ uri, local, attributes }) => {
    const element: Open = { name: uri + local, text: '', value: undefined }
    const isDescription = open.at(-1)?.name === `${RDF}RDF`
    for (const { uri, local, value } of Object.values(attributes)) {
      if (isDescription) keep(uri + local, value)
      // The value of a property with qualifiers, in short.
      if (uri + local === `${RDF}value`) element.value = value
    }
    open.push(element)
  })
  const add = (text: string) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('text', add)
  parser.on('cdata', add)
  parser.on('closetag', () => {
    const { name, text, value } = open.pop()!
    const parent = open.at(-1)
    if (parent === undefined) return
    // A value passes from rdf:value, through a description if there is one, to its property.
    if (name === `${RDF}value`) parent.value = text
    else if (name === `${RDF}Description` && value !== undefined) parent.value = value
    else if (open.at(-2)?.name === `${RDF}RDF`) keep(name, value ?? text)
  })
  return parser
}

/** An element whose end is still to come. */
interface Open {
  name: string
  text: string
  /** What rdf:value says. */
  value: string | undefined
}

/**
 * Files have XMP in UTF-8, but it may be UTF-16 where it stands by itself. The mark of the byte order is not a part of the text.
 */
function packetText(packet: Buffer): string {
  const [first, second] = [packet[0], packet[1]]
  const isBig = (first === 0xfe && second === 0xff) || (first === 0 && second === 0x3c)
  const isLittle = (first === 0xff && second === 0xfe) || (first === 0x3c && second === 0)
  // Writers fill packets up with zero bytes, and some end them with one.
  return withoutPadding(new TextDecoder(isBig ? 'utf-16be' : isLittle ? 'utf-16le' : 'utf-8').decode(packet).trimStart())
}
