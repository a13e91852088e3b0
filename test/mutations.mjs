/**
 * What must not go unnoticed: each entry breaks the code once, and names the tests that then have to fail.
 * `node scripts/checks/mutations.mjs` applies and runs them; mutations.test.mjs sees that each still fits the code.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ACCESS } from './mutations/access.mjs'
import { FILES } from './mutations/files.mjs'
import { PULLS } from './mutations/hub.mjs'
import { IMAGES } from './mutations/images.mjs'
import { JOBS } from './mutations/jobs.mjs'
import { QUEUE } from './mutations/queue.mjs'
import { ENGINE, VALUES } from './mutations/library.mjs'
import { NATIVE } from './mutations/native.mjs'
import { PLACEMENT } from './mutations/placement.mjs'
import { SERVER } from './mutations/server.mjs'
import { WEBHOOKS } from './mutations/webhooks.mjs'
import { OUTPUTS } from './mutations/writers.mjs'

/**
 * @typedef {object} Mutation
 * @property {string} name
 * @property {string} file what is changed, from the root of the repository
 * @property {string} find occurs in it exactly once
 * @property {string} replace
 * @property {string[]} tests files of vitest or pytest, or `core_tests`
 * @property {string} why what users would suffer
 * @property {true} [built] the tests run what the set-up builds from lib/
 * @property {true} [native] C++: left out unless asked for, since the copy has to be built
 */

/** @type {readonly Mutation[]} */
export const MUTATIONS = [
  ...VALUES,
  ...IMAGES,
  ...FILES,
  ...OUTPUTS,
  ...ENGINE,
  ...PLACEMENT,
  ...SERVER,
  ...ACCESS,
  ...JOBS,
  ...QUEUE,
  ...WEBHOOKS,
  ...PULLS,
  ...NATIVE
]

/** @param {string} root @param {Mutation} mutation */
export const sourceOf = (root, mutation) => readFileSync(join(root, mutation.file), 'utf8')

/**
 * @param {Mutation} mutation
 * @param {string} source
 * @throws Error where the text to be found is not there, or more than once
 */
export function applied({ name, file, find, replace }, source) {
  const times = source.split(find).length - 1
  if (times !== 1)
    throw new Error(`Expected the text of the mutation ${name} once in ${file} but found it ${times} times: ${find}`)
  return source.replace(find, () => replace)
}
