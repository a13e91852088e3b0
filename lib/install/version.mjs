/** The LibTorch minor version that this release is built for. LibTorch's C++ interface changes with every minor version. */
export const torchVersion = '2.13'

/** The exact version that set-up installs when the machine has none. */
export const torchRelease = '2.13.0'

/**
 * @param {string} version such as `2.13.0+cpu`
 * @returns {string} such as `2.13`
 */
export function minorOf(version) {
  return version.split('.').slice(0, 2).join('.')
}

/**
 * @param {string} version
 * @param {string} least
 * @returns {boolean} whether `version` is `least` or newer, number by number (3.9 is older than 3.10)
 */
export function atLeast(version, least) {
  const numbers = version.split('.').map(part => parseInt(part, 10))
  for (const [index, wanted] of least.split('.').map(Number).entries()) {
    const number = numbers[index] ?? 0
    if (number !== wanted) return number > wanted
  }
  return true
}
