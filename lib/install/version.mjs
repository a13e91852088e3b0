/**
 * The minor versions of LibTorch that this release runs on, oldest first. LibTorch's C++ interface changes with every minor
 * version, so each has an addon of its own. Programs and CPU libraries that were made with one of them run on all of them
 * (docs/verification.md#versions-of-libtorch).
 */
export const torchVersions = ['2.11', '2.12', '2.13', '2.14', '2.15']

/** The exact version that set-up installs when the machine has none. */
export const torchRelease = '2.13.0'

/** For people. */
export const torchRange = `${torchVersions[0]} to ${torchVersions.at(-1)}`

/**
 * @param {string} version such as `2.13.0+cpu`
 * @returns {string} such as `2.13`
 */
export function minorOf(version) {
  return version.split('.').slice(0, 2).join('.')
}

/** @param {string} version */
export function isSupported(version) {
  return torchVersions.includes(minorOf(version))
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
