import { readFileSync } from 'node:fs'
import semver from 'semver'
import { expect, test } from 'vitest'

/** @param {string} file */
const read = file => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
/** @type {{ engines: { node: string } }} */
const { engines } = read('package.json')
/** @type {[string, { dev?: boolean, os?: string[], engines?: { node?: string } | string[] }][]} */
const packages = Object.entries(read('package-lock.json').packages)

// npm warns of every package whose engines do not fit, and with engine-strict it refuses. The oldest of each line that is
// advertised stands for the line, and the newest that there is.
test.each(['20.19.0', '22.14.0', '24.0.0', '26.0.0'])('every package that an install brings accepts Node %s', version => {
  expect(semver.satisfies(version, engines.node)).toBe(true)
  const refusing = packages
    .filter(([, { dev, os = ['linux'] }]) => dev !== true && os.includes('linux'))
    .filter(([, { engines: own }]) => own !== undefined && !Array.isArray(own))
    .map(([path, entry]) => ({ path, range: /** @type {{ node?: string }} */ (entry.engines).node ?? '*' }))
    .filter(({ range }) => !semver.satisfies(version, range))
  expect(refusing).toEqual([])
})

test('what is older is not advertised', () => {
  expect(['18.20.0', '20.18.3', '21.7.3', '22.13.1'].filter(version => semver.satisfies(version, engines.node))).toEqual([])
})
