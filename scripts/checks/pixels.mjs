/** How far two pictures are apart, in steps of 1/255. */
export function pixelDifference(actual, expected) {
  if (actual.length !== expected.length) return { max: Infinity, mean: Infinity }
  let [max, sum] = [0, 0]
  for (let index = 0; index < actual.length; index++) {
    const difference = Math.abs(actual[index] - expected[index])
    sum += difference
    if (difference > max) max = difference
  }
  return { max, mean: sum / actual.length }
}

/** The same over two lists of pictures: the largest mean and the largest difference of any. */
export function furthest(actual, expected) {
  const differences = actual.map((pixels, index) => pixelDifference(pixels, expected[index]))
  return { max: Math.max(...differences.map(({ max }) => max)), mean: Math.max(...differences.map(({ mean }) => mean)) }
}
