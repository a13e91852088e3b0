import { describe, expect, test } from 'vitest'
import { readXmp, xmpPacket } from '../../lib/image/xmp.js'

const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
const OURS = 'urn:wuerstchen:generation:1/'
const JSON_TEXT = '{"seed":1}'
const QUOTED = '{&quot;seed&quot;:1}'

/** A packet as no program of this package writes it: with other prefixes. */
const described = (body: string, attributes = '', namespace = OURS) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="${RDF}"><r:Description r:about="" xmlns:q="${namespace}" ${attributes}>` +
  `${body}</r:Description></r:RDF></x:xmpmeta>`

const element = described(`<q:wuerstchen>${JSON_TEXT}</q:wuerstchen>`)
const jsonIn = async (packet: string | Buffer) => (await readXmp(Buffer.from(packet as string))).json

test('what is written is read, and is ASCII but for the mark in its wrapper', async () => {
  const facts = { json: JSON_TEXT, sourceType: 'http://a/b', extension: 'C'.repeat(32) }
  expect(await readXmp(Buffer.from(xmpPacket(facts)))).toEqual(facts)
  expect(xmpPacket(facts).replace('\u{feff}', '')).toMatch(/^[\x20-\x7e]*$/)
})

test.each<[string, string | Buffer]>([
  ['an element', element],
  ['the namespace of version 0.1.0', described(`<q:wuerstchen>${JSON_TEXT}</q:wuerstchen>`, '', OURS.slice(0, -1))],
  ['an attribute', described('', `q:wuerstchen="${QUOTED}"`)],
  ['an attribute in single quotes', described('', `q:wuerstchen='${JSON_TEXT}'`)],
  ['decimal and hexadecimal escapes', described('<q:wuerstchen>&#123;&#x22;seed&quot;&#58;1&#x7D;</q:wuerstchen>')],
  ['CDATA, comments and instructions', described('<q:wuerstchen><![CDATA[{"seed"]]><!-- < -->:1<?pi ?>}</q:wuerstchen>')],
  ['a language', described(`<q:wuerstchen xml:lang="x-default">${JSON_TEXT}</q:wuerstchen>`)],
  [
    'a default namespace, without xmpmeta',
    `<r:RDF xmlns:r="${RDF}"><r:Description><wuerstchen xmlns="${OURS}">${JSON_TEXT}</wuerstchen></r:Description></r:RDF>`
  ],
  ['qualifiers', described(`<q:wuerstchen r:parseType="Resource"><r:value>${JSON_TEXT}</r:value><q:by>me</q:by></q:wuerstchen>`)],
  [
    'qualifiers in a description',
    described(`<q:wuerstchen><r:Description><r:value>${JSON_TEXT}</r:value></r:Description></q:wuerstchen>`)
  ],
  ['qualifiers in attributes', described(`<q:wuerstchen r:value="${QUOTED}" q:by="me"/>`)],
  ['qualifiers in attributes of a description', described(`<q:wuerstchen><r:Description r:value="${QUOTED}"/></q:wuerstchen>`)],
  [
    'the second of two descriptions',
    `<r:RDF xmlns:r="${RDF}"><r:Description xmlns:a="b:c/"/><r:Description xmlns:k="${OURS}" k:wuerstchen="${QUOTED}"/></r:RDF>`
  ],
  [
    'a typed node',
    `<r:RDF xmlns:r="${RDF}"><t:T xmlns:t="t:t/" xmlns:k="${OURS}"><k:wuerstchen>${JSON_TEXT}</k:wuerstchen></t:T></r:RDF>`
  ],
  [
    'a declaration, a wrapper and padding',
    `<?xml version="1.0"?>\n<?xpacket begin="" id="x"?>${element}<?xpacket end="w"?>\n \n\0`
  ],
  ['UTF-8 with a mark', `\u{feff}${element}`],
  ['UTF-16, little-endian with a mark', Buffer.from(`\u{feff}${element}`, 'utf16le')],
  ['UTF-16, big-endian with a mark', Buffer.from(`\u{feff}${element}`, 'utf16le').swap16()],
  ['UTF-16 without a mark', Buffer.from(element, 'utf16le')],
  ['a value longer than the pieces that are parsed', described(`<q:wuerstchen>${' '.repeat(300_000)}${JSON_TEXT}</q:wuerstchen>`)]
])('the property is found: %s', async (_, packet) => {
  expect((await jsonIn(packet))?.trim()).toBe(JSON_TEXT)
})

test.each([
  ['nothing', ''],
  ['a document type with an entity', `<!DOCTYPE x [<!ENTITY a "${QUOTED}">]>${described('<q:wuerstchen>&a;</q:wuerstchen>')}`],
  ['a document type before a sound packet', `<!DOCTYPE x SYSTEM "file:///etc/passwd">${element}`],
  ['an entity of HTML', described('<q:wuerstchen>&nbsp;</q:wuerstchen>')],
  ['a prefix that is not declared', described(`<z:wuerstchen>${JSON_TEXT}</z:wuerstchen>`)],
  ['another namespace', described(`<q:wuerstchen>${JSON_TEXT}</q:wuerstchen>`, '', 'urn:other/')],
  ['a property of a property', described(`<q:other><q:wuerstchen>${JSON_TEXT}</q:wuerstchen></q:other>`)],
  ['a packet that is cut off', element.slice(0, -40)],
  ['a character that is none', described('<q:wuerstchen>&#x110000;</q:wuerstchen>')],
  ['names of JavaScript', `<r:RDF xmlns:r="${RDF}"><r:Description constructor="a" __proto__="b" toString="c"/></r:RDF>`]
])('there is no property in %s', async (_, packet) => {
  expect(await readXmp(Buffer.from(packet))).toEqual({})
})

describe('a packet that is made for it costs little', () => {
  test.each([
    ['deep', '<a>'.repeat(2_000_000)],
    ['attributes', `<a ${Array.from({ length: 500_000 }, (_, index) => `a${index}="x"`).join(' ')}/>`],
    ['namespaces', `<a ${Array.from({ length: 300_000 }, (_, index) => `xmlns:a${index}="x"`).join(' ')}/>`],
    ['declared entities', `<!DOCTYPE x [${'<!ENTITY a "b">'.repeat(300_000)}]>${element}`],
    ['longer than any', described(`<q:wuerstchen>${'x'.repeat(8 * 1024 * 1024)}</q:wuerstchen>`)]
  ])('%s', async (_, packet) => {
    expect(await readXmp(Buffer.from(packet))).toEqual({})
  })

  test('the event loop gets its turns in between', async () => {
    let turns = 0
    const count = () => {
      turns += 1
      timer = setImmediate(count)
    }
    let timer = setImmediate(count)
    await readXmp(Buffer.from(described('<q:a/>'.repeat(200_000))))
    clearImmediate(timer)
    // A turn each 128 KiB of 1.2 MB.
    expect(turns).toBeGreaterThanOrEqual(8)
  })
})
