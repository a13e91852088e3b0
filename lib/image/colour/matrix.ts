/** Nine numbers, row by row. */
export type Matrix = readonly number[]

/** Chromaticities x, y of red, green, blue and white. */
export type Primaries = readonly [number, number, number, number, number, number, number, number]

/** The white of sRGB, of BT.2020 and of Display P3. */
export const D65 = [0.3127, 0.329] as const

export const SRGB_PRIMARIES: Primaries = [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, ...D65]

/** Linear RGB to XYZ, with white adapted to that of sRGB. */
export function xyzFrom([rx, ry, gx, gy, bx, by, wx, wy]: Primaries): Matrix {
  const columns = [rx, gx, bx, ry, gy, by, 1 - rx - ry, 1 - gx - gy, 1 - bx - by]
  const scales = apply(invert(columns), xyzOf(wx, wy))
  const own = columns.map((value, index) => value * scales[index % 3]!)
  return multiply(adaptation(xyzOf(wx, wy)), own)
}

/** Bradford's matrix, in whose cone responses whites are adapted (ICC.1:2022, annex E). */
const BRADFORD: Matrix = [0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296]

/** Takes XYZ seen under one white to XYZ under the white of sRGB. */
export function adaptation(white: readonly number[]): Matrix {
  const [from, to] = [apply(BRADFORD, white), apply(BRADFORD, xyzOf(...D65))]
  const scaled = BRADFORD.map((value, index) => (value * to[Math.floor(index / 3)]!) / from[Math.floor(index / 3)]!)
  return multiply(invert(BRADFORD), scaled)
}

function xyzOf(x: number, y: number): readonly number[] {
  return [x / y, 1, (1 - x - y) / y]
}

function apply(matrix: Matrix, vector: readonly number[]): number[] {
  return [0, 3, 6].map(row => matrix[row]! * vector[0]! + matrix[row + 1]! * vector[1]! + matrix[row + 2]! * vector[2]!)
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const columns = [0, 1, 2].map(column => apply(a, [b[column]!, b[column + 3]!, b[column + 6]!]))
  return Array.from({ length: 9 }, (_, index) => columns[index % 3]![Math.floor(index / 3)]!)
}

function invert(matrix: Matrix): Matrix {
  const at = (row: number, column: number) => matrix[(row % 3) * 3 + (column % 3)]!
  const cofactor = (row: number, column: number) =>
    at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1)
  const determinant = at(0, 0) * cofactor(0, 0) + at(0, 1) * cofactor(0, 1) + at(0, 2) * cofactor(0, 2)
  return Array.from({ length: 9 }, (_, index) => cofactor(index % 3, Math.floor(index / 3)) / determinant)
}

export const SRGB_FROM_XYZ: Matrix = invert(xyzFrom(SRGB_PRIMARIES))
