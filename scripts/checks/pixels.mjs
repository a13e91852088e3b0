/** @typedef {{ max: number, mean: number }} Difference between two images, in steps of 1/255 */

/**
 * How far two images are apart. They are infinitely far apart where their sizes differ.
 * @param {ArrayLike<number>} actual
 * @param {ArrayLike<number>} expected
 * @returns {Difference}
 */
export function pixelDifference(actual, expected) {
  if (actual.length !== expected.length) return { max: Infinity, mean: Infinity }
  let [max, sum] = [0, 0]
  for (let index = 0; index < actual.length; index++) {
    const difference = Math.abs((actual[index] ?? NaN) - (expected[index] ?? NaN))
    sum += difference
    if (difference > max) max = difference
  }
  return { max, mean: sum / actual.length }
}

/**
 * The same over two lists of images: the largest mean and the largest difference of any.
 * @param {ArrayLike<number>[]} actual
 * @param {ArrayLike<number>[]} expected
 * @returns {Difference}
 */
export function furthest(actual, expected) {
  const differences = actual.map((pixels, index) => pixelDifference(pixels, expected[index] ?? []))
  return { max: Math.max(...differences.map(({ max }) => max)), mean: Math.max(...differences.map(({ mean }) => mean)) }
}
