/** A point, and the range around it. */
export interface Point {
  x: number
  y: number
  low?: number
  high?: number
}
export interface Series {
  name: string
  points: readonly Point[]
}
/** One set of axes. y begins at 0, so that heights can be compared. */
export interface Panel {
  title: string
  xLabel: string
  yLabel: string
  series: readonly Series[]
}

const PANEL = { width: 420, height: 300 }
const MARGIN = { top: 78, right: 18, bottom: 64, left: 62 }
const LINE_HEIGHT = 16
/** The palette of Okabe and Ito, whose colours people with colour-blindness can tell apart: https://jfly.uni-koeln.de/color */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000']

/** Panels side by side as one SVG document, a line for each series. */
export function drawChart(title: string, panels: readonly Panel[], footer: string): string {
  const beside = PANEL.width * panels.length
  // Wide enough for both lines of text, too.
  const width = Math.ceil(Math.max(beside, textWidth(title, 16), textWidth(footer, 10)))
  const height = PANEL.height + MARGIN.top + MARGIN.bottom
  const legend = Math.max(...panels.map(({ series }) => series.length)) * LINE_HEIGHT
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + legend}" viewBox="0 0 ${width} ${height + legend}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#222">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(width / 2, 24, title, 'middle', 'font-size="16" font-weight="bold"'),
    ...panels.map(
      (panel, index) => `<g transform="translate(${(width - beside) / 2 + index * PANEL.width} 0)">${drawPanel(panel)}</g>`
    ),
    text(width / 2, height + legend - 12, footer, 'middle', 'font-size="10" fill="#666"'),
    '</svg>',
    ''
  ].join('\n')
}

function drawPanel({ title, xLabel, yLabel, series }: Panel): string {
  const points = series.flatMap(({ points }) => points)
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b)
  const ticks = ticksUpTo(Math.max(...points.map(({ y, high }) => high ?? y)))
  const [left, right, top, bottom] = [
    MARGIN.left,
    PANEL.width - MARGIN.right,
    MARGIN.top,
    MARGIN.top + PANEL.height - LINE_HEIGHT
  ]
  const x = (value: number) =>
    xs.length === 1 ? (left + right) / 2 : left + 12 + ((value - xs[0]!) / (xs.at(-1)! - xs[0]!)) * (right - left - 24)
  const y = (value: number) => bottom - (value / ticks.at(-1)!) * (bottom - top)
  return [
    text((left + right) / 2, top - 16, title, 'middle', 'font-size="13"'),
    ...ticks.map(
      tick =>
        `<line x1="${left}" x2="${right}" y1="${round(y(tick))}" y2="${round(y(tick))}" stroke="#ddd"/>${text(left - 6, y(tick) + 4, label(tick), 'end')}`
    ),
    ...xs.map(value => text(x(value), bottom + 16, label(value), 'middle')),
    `<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#222"/>`,
    text((left + right) / 2, bottom + 34, xLabel, 'middle'),
    `<g transform="translate(16 ${(top + bottom) / 2}) rotate(-90)">${text(0, 0, yLabel, 'middle')}</g>`,
    ...series.map(({ name, points }, index) => {
      const colour = COLOURS[index % COLOURS.length]!
      const legendY = bottom + 58 + index * LINE_HEIGHT
      return `<g stroke="${colour}" fill="${colour}">${drawSeries(points, x, y)}<circle cx="${left + 6}" cy="${legendY - 4}" r="3.5"/></g>${text(left + 16, legendY, name, 'start')}`
    })
  ].join('\n')
}

function drawSeries(points: readonly Point[], x: (value: number) => number, y: (value: number) => number): string {
  const path = points.map(point => `${round(x(point.x))},${round(y(point.y))}`).join(' ')
  const marks = points.map(point => {
    const range =
      point.low === undefined || point.high === undefined
        ? ''
        : `<line x1="${round(x(point.x))}" x2="${round(x(point.x))}" y1="${round(y(point.low))}" y2="${round(y(point.high))}"/>`
    return `${range}<circle cx="${round(x(point.x))}" cy="${round(y(point.y))}" r="3.5"/>`
  })
  return `<polyline points="${path}" fill="none" stroke-width="2"/>${marks.join('')}`
}

/** Round numbers from 0 to at least `largest`, about five of them. */
export function ticksUpTo(largest: number): number[] {
  if (!(largest > 0)) return [0, 1]
  const power = 10 ** Math.floor(Math.log10(largest / 4))
  const step = power * [1, 2, 5, 10].find(factor => factor * power * 5 >= largest)!
  return Array.from({ length: Math.ceil(largest / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

function text(x: number, y: number, content: string, anchor: string, attributes = ''): string {
  const escaped = content.replace(/[&<>]/g, character => `&#${character.charCodeAt(0)};`)
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" ${attributes}>${escaped}</text>`
}

/** At most, with margins: letters of DejaVu Sans Bold, the widest of these fonts, are on average less than 0.72 em wide. */
function textWidth(content: string, size: number): number {
  return content.length * size * 0.72 + 2 * MARGIN.right
}

function label(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 })
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
