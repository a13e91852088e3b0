import { setImmediate as nextTurn } from 'node:timers/promises'

/** An image without what is transparent in it. */
export interface CutOut {
  /** RGB: the colours of what can be seen, not mixed with a background, continued into what is transparent. */
  colours: Uint8Array
  /** 255 where the image is transparent. */
  transparency: Uint8Array
}

/**
 * Separates colours and transparency. What tools leave below full transparency is anything: the old image, black or white. An encoder
 * that saw it, or an edge that fades into it, would bring it back. So each such pixel gets the mean of what can be seen in the smallest
 * square of a pyramid around it.
 * @param pixels RGBA
 */
export async function cutOut(pixels: Uint8Array, width: number, height: number): Promise<CutOut> {
  const colours = new Uint8Array(width * height * 3)
  const transparency = new Uint8Array(width * height)
  for (let pixel = 0; pixel < transparency.length; pixel++) {
    colours[pixel * 3] = pixels[pixel * 4]!
    colours[pixel * 3 + 1] = pixels[pixel * 4 + 1]!
    colours[pixel * 3 + 2] = pixels[pixel * 4 + 2]!
    transparency[pixel] = 255 - pixels[pixel * 4 + 3]!
  }
  if (transparency.includes(255)) await continueColours({ colours, transparency, width, height })
  return { colours, transparency }
}

interface Level extends CutOut {
  width: number
  height: number
}

/** Fills where the transparency is 255, from the level above; where that is transparent too, it is filled first. */
async function continueColours(level: Level): Promise<void> {
  const { colours, transparency, width, height } = level
  await nextTurn()
  if (width * height === 1) return void (transparency[0] === 255 && colours.fill(255))
  const above = halved(level)
  if (above.transparency.includes(255)) await continueColours(above)
  await nextTurn()
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      if (transparency[pixel] !== 255) continue
      const from = ((y >> 1) * above.width + (x >> 1)) * 3
      colours[pixel * 3] = above.colours[from]!
      colours[pixel * 3 + 1] = above.colours[from + 1]!
      colours[pixel * 3 + 2] = above.colours[from + 2]!
    }
  }
}

/** Half as large. A pixel has the mean colour of what can be seen of its four, and is transparent if all of them are. */
function halved({ colours, transparency, width, height }: Level): Level {
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)]
  const half = { colours: new Uint8Array(w * h * 3), transparency: new Uint8Array(w * h), width: w, height: h }
  for (let y = 0, pixel = 0; y < h; y++) {
    for (let x = 0; x < w; x++, pixel++) {
      let [seen, red, green, blue] = [0, 0, 0, 0]
      for (let row = 2 * y; row < Math.min(height, 2 * y + 2); row++) {
        for (let at = row * width + 2 * x; at < row * width + Math.min(width, 2 * x + 2); at++) {
          const opacity = 255 - transparency[at]!
          seen += opacity
          red += opacity * colours[at * 3]!
          green += opacity * colours[at * 3 + 1]!
          blue += opacity * colours[at * 3 + 2]!
        }
      }
      half.transparency[pixel] = seen === 0 ? 255 : 0
      if (seen === 0) continue
      half.colours[pixel * 3] = Math.round(red / seen)
      half.colours[pixel * 3 + 1] = Math.round(green / seen)
      half.colours[pixel * 3 + 2] = Math.round(blue / seen)
    }
  }
  return half
}
