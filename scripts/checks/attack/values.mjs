/** Values that JSON can hold and that no field expects. */
/** @import { Random } from './random.mjs' */

/** @typedef {(string | number)[]} Path */

/** @type {readonly unknown[]} */
const HOSTILE = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1,
  2,
  3,
  0.5,
  1.5,
  1e-320,
  1e-300,
  1e300,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  '',
  ' ',
  '0',
  '1',
  'x',
  'cpu',
  'cuda',
  'aoti',
  'torchscript',
  'float16',
  'int64',
  'AVX2',
  'NEON',
  'batch',
  'height/0',
  'height/99999999999999999999',
  'a/b',
  'a/-1',
  '__proto__',
  'constructor',
  '\u0000',
  '\ud800',
  '..',
  '/etc/passwd',
  'x'.repeat(100_000),
  [],
  [null],
  [[]],
  [1, 2, 3],
  {},
  { file: 'x' },
  Array.from({ length: 2000 }, (_, index) => index)
]

/** Every place in a value. @param {unknown} value @returns {Path[]} */
export function pathsOf(value, /** @type {Path} */ at = []) {
  if (value === null || typeof value !== 'object') return [at]
  const below = Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...at, Array.isArray(value) ? Number(key) : key]))
  return at.length === 0 ? below : [at, ...below]
}

/**
 * The value with something else at one place: gone, hostile, slightly another number, doubled, renamed.
 * @param {Random} random @param {any} root @param {Path} path
 */
export function changedValue(random, root, path) {
  const parent = path.slice(0, -1).reduce((value, key) => value[key], root)
  const key = /** @type {string | number} */ (path.at(-1))
  const old = parent[key]
  const kind = random.int(10)
  let shown = 'gone'
  if (kind === 0) {
    if (Array.isArray(parent)) parent.splice(Number(key), 1)
    else delete parent[key]
  } else if (kind === 1 && !Array.isArray(parent)) {
    const name = random.pick(['x', '__proto__', 'a/b', '', 'forward', 'step', 'condition', 'cuda'])
    delete parent[key]
    Object.defineProperty(parent, name, { value: old, enumerable: true, configurable: true, writable: true })
    shown = `named ${name}`
  } else if (kind === 2 && Array.isArray(parent)) {
    const times = random.pick([1, 2, 1000])
    parent.splice(Number(key), 0, ...Array.from({ length: times }, () => old))
    shown = `${times} more`
  } else if (kind < 5 && typeof old === 'number') {
    parent[key] = random.pick([old + 1, old - 1, -old, old * 2, old / 2, old * 1e6, old + 1e-9, Math.trunc(old)])
    shown = String(parent[key])
  } else {
    parent[key] = random.pick(HOSTILE)
    shown = String(JSON.stringify(parent[key])).slice(0, 60)
  }
  return { value: root, shown }
}
