// Draws emoji with resvg: node render.mjs OUT_DIR SIDE name... → OUT_DIR/<name>.rgba (SIDE × SIDE × 4, premultiplied).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [out, side, ...names] = process.argv.slice(2)
if (out === undefined) throw new Error('Expected OUT_DIR, SIDE and names')
const load = createRequire(import.meta.url)
// The packages of this folder are installed with "npm ci --prefix scripts/train" alone.
/** @typedef {{ width: number, height: number, pixels: Uint8Array }} Rendered */
/** @type {{ Resvg: new (svg: string, options: object) => { render(): Rendered } }} */
const { Resvg } = load('@resvg/resvg-js')
const set = JSON.parse(readFileSync(load.resolve('@iconify-json/noto/icons.json'), 'utf8'))

const missing = names.filter(name => !set.icons[name])
if (missing.length > 0) throw new Error(`Expected names of Noto emoji but received ${missing.join(', ')}`)

mkdirSync(out, { recursive: true })
for (const name of names) {
  const { body, width = set.width ?? 16, height = set.height ?? 16 } = set.icons[name]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${width} ${height}">${body}</svg>`
  const image = new Resvg(svg, { fitTo: { mode: 'width', value: Number(side) } }).render()
  if (image.width !== Number(side) || image.height !== Number(side)) throw new Error(`Expected a square drawing for ${name}`)
  writeFileSync(join(out, `${name}.rgba`), image.pixels)
}
