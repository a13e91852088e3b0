import { bundlers } from './bundlers.mjs'
import { ci } from './ci.mjs'
import { languages } from './languages.mjs'
import { packageManagers } from './package-managers.mjs'
import { runtimes } from './runtimes.mjs'

/** Every consumer that is played. Versions are exact, so that a run can be repeated. @type {import('./cell.mjs').Cell[]} */
export const cells = [...packageManagers, ...runtimes, ...languages, ...bundlers, ...ci]
