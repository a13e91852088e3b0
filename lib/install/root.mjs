import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readRecord } from './fingerprint.mjs'

const NAME = 'wuerstchen'

/**
 * The folder of this package: a clone of the repository, or `node_modules/wuerstchen`. It is two folders up from `lib/install`
 * and from `dist/install` alike. A bundle has this code elsewhere, and then the package is looked for as an `import` in the
 * bundle would: it has the packaged model and its addons are found from it.
 * @param {string | undefined} url of this module. Bundles of CommonJS have none, and some bundlers keep that of the machine which
 * bundled
 * @param {string[]} others files whose folders are asked next, in this order
 */
export function findPackage(url, others) {
  const here = url ? fileURLToPath(url) : undefined
  const beside = here === undefined ? undefined : dirname(dirname(dirname(here)))
  if (beside !== undefined && readRecord(join(beside, 'package.json'))?.name === NAME) return beside
  for (const file of here === undefined ? others : [here, ...others]) {
    try {
      return dirname(createRequire(file).resolve(`${NAME}/package.json`))
    } catch {
      // It is not installed there.
    }
  }
  const error = new Error(
    `Expected the installed package ${NAME} beside the bundle that has its code, but it is not there. Keep it out of the bundle ` +
      '(docs/frameworks.md has the line for each bundler), or run the bundle where the package is installed.'
  )
  // What `WuerstchenError` is, which is not loaded yet: `WuerstchenError.is` knows it.
  const facts = { name: 'WuerstchenError', code: 'NATIVE_LOAD_FAILED', subject: NAME, [Symbol.for('wuerstchen.error')]: true }
  throw Object.assign(error, facts)
}

/** A process may run in a folder that was deleted since, as after a deployment. Then it has none. */
function workingPackage() {
  try {
    return join(process.cwd(), 'package.json')
  } catch {
    return undefined
  }
}

export const packageRoot = findPackage(
  import.meta.url,
  // Bundlers of CommonJS keep `__filename`; it is the bundle's own.
  [typeof __filename === 'string' ? __filename : undefined, process.argv[1], workingPackage()].filter(file => file !== undefined)
)
