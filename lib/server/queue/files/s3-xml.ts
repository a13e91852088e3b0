import { SaxesParser } from 'saxes'

/** The texts of elements by their names, in their order. All replies of S3 can be read so. @throws Error for what is no XML */
export function xmlTexts(xml: string): [name: string, text: string][] {
  const found: [string, string][] = []
  const open: [string, string][] = []
  const parser = new SaxesParser()
  parser.on('error', error => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('A reply of S3 has no document type')
  })
  parser.on('opentag', ({ name }) => void open.push([name, '']))
  parser.on('text', text => {
    const element = open.at(-1)
    if (element !== undefined) element[1] += text
  })
  parser.on('closetag', () => void found.push(open.pop()!))
  parser.write(xml).close()
  return found
}
