import { inTurns } from './turns.js'

/** An image without what is transparent in it. */
export interface CutOut {
  /** RGB: the colours of what can be seen, not mixed with a background, continued into what is transparent. */
  colours: Uint8Array
  /** 255 where the image is transparent. */
  transparency: Uint8Array
}

/**
 * Separates colours and transparency. What tools leave below full transparency is anything: the old image, black or white. An
 * encoder that saw it, or an edge that fades into it, would bring it back. So each such pixel gets the mean of what can be seen
 * next to it, or where nothing is, next to it in the smallest level of a pyramid that has something there.
 * @param pixels RGBA
 */
export async function cutOut(pixels: Uint8Array, width: number, height: number): Promise<CutOut> {
  const colours = new Uint8Array(width * height * 3)
  const transparency = new Uint8Array(width * height)
  await inTurns(transparency.length, (begin, end) => {
    for (let pixel = begin; pixel < end; pixel++) {
      colours[pixel * 3] = pixels[pixel * 4]!
      colours[pixel * 3 + 1] = pixels[pixel * 4 + 1]!
      colours[pixel * 3 + 2] = pixels[pixel * 4 + 2]!
      transparency[pixel] = 255 - pixels[pixel * 4 + 3]!
    }
  })
  if (transparency.includes(255)) await continueColours({ colours, transparency, width, height })
  return { colours, transparency }
}

interface Level extends CutOut {
  width: number
  height: number
}

/**
 * Fills where the transparency is 255: from what can be seen in the 3 × 3 pixels around, so that colours go on over an edge, else
 * from the level above, which is filled first.
 */
async function continueColours(level: Level): Promise<void> {
  const { colours, transparency, width, height } = level
  if (width * height === 1) return void (transparency[0] === 255 && colours.fill(255))
  const above = await halved(level)
  if (above.transparency.includes(255)) await continueColours(above)
  await inTurns(width * height, (begin, end) => {
    for (let pixel = begin; pixel < end; pixel++) {
      if (transparency[pixel] !== 255) continue
      const [x, y] = [pixel % width, Math.floor(pixel / width)]
      const from = ((y >> 1) * above.width + (x >> 1)) * 3
      colours.set(meanSeen(level, x - 1, y - 1, 3) ?? above.colours.subarray(from, from + 3), pixel * 3)
    }
  })
}

/** Half as large. A pixel has the mean colour of what can be seen of its four, and is transparent if all of them are. */
async function halved(level: Level): Promise<Level> {
  const [width, height] = [Math.ceil(level.width / 2), Math.ceil(level.height / 2)]
  const half = {
    colours: new Uint8Array(width * height * 3),
    transparency: new Uint8Array(width * height).fill(255),
    width,
    height
  }
  await inTurns(width * height, (begin, end) => {
    for (let pixel = begin; pixel < end; pixel++) {
      const mean = meanSeen(level, 2 * (pixel % width), 2 * Math.floor(pixel / width), 2)
      if (mean === undefined) continue
      half.transparency[pixel] = 0
      half.colours.set(mean, pixel * 3)
    }
  })
  return half
}

/** The mean colour of what can be seen in a square; undefined if it is transparent. */
function meanSeen({ colours, transparency, width, height }: Level, left: number, top: number, side: number) {
  let [seen, red, green, blue] = [0, 0, 0, 0]
  for (let y = Math.max(0, top); y < Math.min(height, top + side); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, left + side); x++) {
      const at = y * width + x
      const opacity = 255 - transparency[at]!
      seen += opacity
      red += opacity * colours[at * 3]!
      green += opacity * colours[at * 3 + 1]!
      blue += opacity * colours[at * 3 + 2]!
    }
  }
  return seen === 0 ? undefined : [Math.round(red / seen), Math.round(green / seen), Math.round(blue / seen)]
}
