import { setImmediate as nextTurn } from 'node:timers/promises'
import type { NativePixels } from '../native.js'

/**
 * A mask on the embedding grid: the share of each cell that is to change. Grey counts as white. A cell is set back to its share
 * at every step, so half a share would leave next to nothing of the change. `blendMask` mixes grey in pixels instead.
 * Feathering makes the cells around change a little too. It never lowers a value: pixels outside the mask are restored anyway,
 * and cells inside must change fully.
 * @param mask width · height bytes, 0 to keep
 * @returns gridHeight · gridWidth values in [0, 1]
 */
export function gridMask(mask: Uint8Array, width: number, height: number, gridWidth: number, gridHeight: number): Float32Array {
  const rows = averages(
    mask.map(value => (value === 0 ? 0 : 1)),
    width,
    height,
    gridWidth
  )
  const cells = averages(transpose(rows, gridWidth, height), height, gridWidth, gridHeight)
  const shares = transpose(cells, gridHeight, gridWidth)
  const soft = transpose(blur(transpose(blur(shares, gridWidth), gridWidth, gridHeight), gridHeight), gridHeight, gridWidth)
  return Float32Array.from(shares, (share, index) => Math.min(1, Math.max(share, soft[index]!)))
}

/** Means over `count` equal parts of each row. A part may begin and end within a pixel. */
function averages(values: ArrayLike<number>, width: number, height: number, count: number): Float64Array {
  const size = width / count
  const means = new Float64Array(height * count)
  for (let y = 0; y < height; y++) {
    for (let part = 0; part < count; part++) {
      const [begin, end] = [part * size, (part + 1) * size]
      const [first, last] = [Math.floor(begin), Math.min(width, Math.ceil(end))]
      let sum = 0
      for (let x = first; x < last; x++) sum += values[y * width + x]!
      // The first and the last pixel count with the share of them that lies in the part.
      sum -= (begin - first) * values[y * width + first]! + (last - Math.min(last, end)) * values[y * width + last - 1]!
      means[y * count + part] = sum / size
    }
  }
  return means
}

/** Rows filtered with (1, 2, 1) / 4. Values beyond the edge are those of the edge. */
function blur(values: Float64Array, width: number): Float64Array {
  return values.map((value, index) => {
    const x = index % width
    return (values[x === 0 ? index : index - 1]! + 2 * value + values[x === width - 1 ? index : index + 1]!) / 4
  })
}

function transpose(values: Float64Array, width: number, height: number): Float64Array {
  return Float64Array.from(
    { length: values.length },
    (_, index) => values[(index % height) * width + Math.floor(index / height)]!
  )
}

/**
 * How much of the new image each pixel shows: 0 outside the mask, rising to the mask's own value over `feather` pixels within it.
 * The feather lies only inside the mask, so that every pixel outside keeps its value.
 * @returns width · height values in [0, 1]
 */
export async function blendMask(mask: Uint8Array, width: number, height: number, feather: number): Promise<Float32Array> {
  const blend = new Float32Array(width * height)
  const distance = await distances(mask, width, height)
  distance.forEach((far, index) => {
    blend[index] = (Math.min(1, far / (feather + 1)) * mask[index]!) / 255
  })
  return blend
}

/**
 * Steps, also diagonal ones, to the next pixel outside the mask; 0 outside. There are two sweeps, forwards and backwards. A frame
 * of distant pixels around the image saves a check of the border at each step.
 */
async function distances(mask: Uint8Array, width: number, height: number): Promise<Int32Array> {
  const row = width + 2
  const far = new Int32Array(row * (height + 2)).fill(FAR)
  for (let y = 0; y < height; y++) {
    if (y % ROWS === 0) await nextTurn()
    for (let x = 0, at = (y + 1) * row + 1; x < width; x++, at++) {
      const behind = Math.min(far[at - 1]!, far[at - row - 1]!, far[at - row]!, far[at - row + 1]!)
      far[at] = mask[y * width + x] === 0 ? 0 : behind + 1
    }
  }
  const found = new Int32Array(width * height)
  for (let y = height - 1; y >= 0; y--) {
    if (y % ROWS === 0) await nextTurn()
    for (let x = width - 1, at = (y + 1) * row + width; x >= 0; x--, at--) {
      const ahead = Math.min(far[at + 1]!, far[at + row + 1]!, far[at + row]!, far[at + row - 1]!)
      far[at] = Math.min(far[at]!, ahead + 1)
      found[y * width + x] = far[at]!
    }
  }
  return found
}

/** After so many rows the event loop gets a turn. A large image would block it for tens of milliseconds. */
const ROWS = 128

/** A distance larger than the width of any image. */
const FAR = 1 << 30

/** `made` where `blend` is 1, `kept` where it is 0. Both have the same size. */
export function composite(kept: NativePixels, made: NativePixels, blend: Float32Array): NativePixels {
  const data = new Uint8Array(kept.data)
  for (let pixel = 0; pixel < blend.length; pixel++) {
    const share = blend[pixel]!
    if (share === 0) continue
    for (let index = pixel * 3; index < pixel * 3 + 3; index++) {
      const from = kept.data[index]!
      data[index] = from + share * (made.data[index]! - from) + 0.5
    }
  }
  return { width: made.width, height: made.height, data }
}
