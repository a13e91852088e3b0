/** What hostile-models.mjs does to a model directory. Each change is made from the case's random numbers alone. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { STAGE_NAMES } from '../../../dist/native.js'
import { flipped, mutated, resized } from './bytes.mjs'
import { COMPILED, editJson, MANIFEST, replace, rewrite, seal } from './model-files.mjs'
import { addSpecialFile } from './special-files.mjs'
import { changedValue, pathsOf } from './values.mjs'
import { otherWeights, zipMutated } from './zip.mjs'
/** @import { Random } from './random.mjs' */

/**
 * What a change leaves to be done by whoever loads the model.
 * @typedef {{ what: string, verify?: boolean, residency?: 'all' | 'sequential', later?: () => void }} Change
 * `later`: a change between the check and the use of a file.
 */
/** @typedef {{ directory: string, random: Random, compiled: boolean }} Target */

const TOKENIZERS = ['prior_tokenizer.json', 'decoder_tokenizer.json']
const WORDS = ['null', 'true', '[]', '{}', '""', '\u0000', '<unk>', '</w>', '"a</w>": 3,', '-1', '\\ud800', '1e999']

/** @param {string} stage */
const program = stage => `${stage}.float32.cpu.pt`
/** @param {Target} target */
const anyFile = target =>
  target.random.pick([
    MANIFEST,
    ...STAGE_NAMES.map(program),
    ...TOKENIZERS,
    ...(target.compiled ? [COMPILED, ...librariesOf(target)] : [])
  ])
/** Their names have the machine's instruction set. @param {Target} target */
const librariesOf = ({ directory }) =>
  readdirSync(join(directory, 'compiled'))
    .filter(name => name.endsWith('.so'))
    .sort()
    .map(name => `compiled/${name}`)

/** A program whose structure is changed. @param {Target} target */
function breakProgram(target) {
  const { random, directory } = target
  const stage = random.pick(STAGE_NAMES)
  const other = readFileSync(join(directory, program(random.pick(STAGE_NAMES))))
  let what = ''
  rewrite(target, program(stage), bytes => {
    const { change, bytes: changed } = zipMutated(random, bytes, other)
    what = `${stage} ${change}`
    return changed
  })
  return { what, stage }
}

/** @type {Readonly<Record<string, { weight: number, make: (target: Target) => Change }>>} */
export const CHANGES = {
  'bits of any file': { weight: 10, make: target => fileChanged(target, bytes => flipped(target.random, bytes)) },
  'a length of any file': { weight: 5, make: target => fileChanged(target, bytes => resized(target.random, bytes)) },
  'stages exchanged': { weight: 2, make: target => exchanged(target, false) },
  'stages exchanged, right hashes': { weight: 3, make: target => exchanged(target, true) },
  'missing, empty or further files': { weight: 4, make: otherFiles },
  'links, pipes, devices, sockets, directories': {
    weight: 4,
    make: target => ({ what: addSpecialFile(target.random, target.directory, anyFile(target)) })
  },
  'file names': { weight: 3, make: otherNames },
  'values of the manifest': { weight: 18, make: target => valueChanged(target, MANIFEST) },
  'text of the manifest': { weight: 6, make: target => textChanged(target, MANIFEST) },
  'values of compiled.json': { weight: 8, make: target => valueChanged(target, target.compiled ? COMPILED : MANIFEST) },
  'text of compiled.json': { weight: 2, make: target => textChanged(target, target.compiled ? COMPILED : MANIFEST) },
  'programs, right hashes': {
    weight: 16,
    make: target => {
      const { what, stage } = breakProgram(target)
      seal(target, program(stage))
      return { what }
    }
  },
  'programs, verify false': {
    weight: 8,
    make: target => {
      if (target.random.chance(0.6)) return { what: breakProgram(target).what, verify: false }
      const stage = target.random.pick(STAGE_NAMES)
      rewrite(target, program(stage), bytes => (target.random.chance(0.5) ? flipped : resized)(target.random, bytes))
      return { what: `${stage} bytes`, verify: false }
    }
  },
  'tokenizers, right hashes': {
    weight: 8,
    make: target => {
      const name = target.random.pick(TOKENIZERS)
      if (target.random.chance(0.5)) {
        const what = valueChanged(target, name).what
        seal(target, name)
        return { what }
      }
      rewrite(target, name, bytes => mutated(target.random, bytes, WORDS))
      seal(target, name)
      return { what: `${name} text` }
    }
  },
  'changed after the check': { weight: 3, make: changedLater },
  // Code is trusted, as the documentation says: these may end a process. They are counted by themselves.
  'libraries, right hashes (code)': {
    weight: 1.5,
    make: target => {
      const name = target.random.pick(librariesOf(target))
      let what = ''
      rewrite(target, name, bytes => {
        const changed = (target.random.chance(0.7) ? flipped : resized)(target.random, bytes)
        what = changed.length === bytes.length ? 'bits' : changed.length < bytes.length ? 'cut off' : 'longer'
        return changed
      })
      seal(target, name)
      return { what: `${name} ${what}` }
    }
  }
}

export const isCode = (/** @type {string} */ kind) => kind.endsWith('(code)')

/** @param {Target} target @param {(bytes: Buffer) => Uint8Array} edit @returns {Change} */
function fileChanged(target, edit) {
  const name = anyFile(target)
  rewrite(target, name, edit)
  return { what: name }
}

/** @param {Target} target @param {boolean} sealed @returns {Change} */
function exchanged(target, sealed) {
  const [a, b] = [target.random.pick(STAGE_NAMES), target.random.pick(STAGE_NAMES)]
  if (sealed && target.random.chance(0.5)) {
    // The manifest names the other stage's artefact, as it is.
    editJson(target, MANIFEST, manifest => {
      const [first, second] = [manifest.stages[a].artefacts[0], manifest.stages[b].artefacts[0]]
      if (target.random.chance(0.5)) manifest.stages[a].artefacts = [second]
      else Object.assign(first, { file: second.file, size: second.size, sha256: second.sha256 })
    })
    return { what: `${a} is ${b} in the manifest` }
  }
  const [one, two] = [join(target.directory, program(a)), join(target.directory, program(b))]
  if (a !== b) {
    renameSync(one, `${one}.x`)
    renameSync(two, one)
    renameSync(`${one}.x`, two)
  }
  if (sealed) for (const stage of [a, b]) seal(target, program(stage))
  return { what: `${a} and ${b}` }
}

/** @param {Target} target @returns {Change} */
function otherFiles(target) {
  const { random, directory } = target
  const name = anyFile(target)
  const file = join(directory, name)
  switch (random.int(5)) {
    case 0:
      rmSync(file)
      return { what: `${name} missing` }
    case 1:
      replace(file, '')
      return { what: `${name} empty` }
    case 2:
      writeFileSync(join(directory, random.pick(['extra.pt', '.hidden', 'core', 'wuerstchen.json~', 'a b'])), 'more')
      return { what: 'a further file' }
    case 3:
      replace(file, '')
      truncateSync(file, random.pick([2 ** 20, 2 ** 24 + 1, 2 ** 31, 2 ** 33]))
      return { what: `${name} is a big hole` }
    default:
      if (process.getuid?.() !== 0) execFileSync('chmod', ['000', file])
      else rmSync(file)
      return { what: `${name} cannot be read` }
  }
}

/** @param {Target} target @returns {Change} */
function otherNames(target) {
  const { random, directory } = target
  const file = program(random.pick(STAGE_NAMES))
  const name = random.pick([
    `../${file}`,
    `./${file}`,
    `sub/../${file}`,
    join(directory, file),
    `${file}\u0000`,
    `..\\${file}`,
    `out/${file}`,
    '..',
    '.',
    '',
    '/dev/zero',
    'CON',
    'a'.repeat(300),
    'a/'.repeat(100) + file,
    `${file}/`,
    'ü.pt',
    MANIFEST
  ])
  mkdirSync(join(directory, 'sub'), { recursive: true })
  symlinkSync('/usr', join(directory, 'out'))
  editJson(target, MANIFEST, manifest => {
    const artefact = random.pick(Object.values(manifest.stages)).artefacts[0]
    artefact.file = name
  })
  return { what: JSON.stringify(name.slice(0, 40)) }
}

/** @param {Target} target @param {string} name @returns {Change} */
function valueChanged(target, name) {
  let what = ''
  editJson(target, name, json => {
    const path = target.random.pick(pathsOf(json))
    const { value, shown } = changedValue(target.random, json, path)
    what = `${name} ${path.join('.')} = ${shown}`
    return value
  })
  return { what }
}

/** @param {Target} target @param {string} name @returns {Change} */
function textChanged(target, name) {
  const { random } = target
  const choice = random.int(8)
  rewrite(target, name, bytes => {
    const text = bytes.toString()
    switch (choice) {
      case 0:
        return Buffer.from(`\ufeff${text}`)
      case 1:
        return Buffer.from(text, 'utf16le')
      case 2: {
        const depth = random.pick([100, 5000, 200_000])
        return Buffer.from(`{"formatVersion":${'['.repeat(depth)}${']'.repeat(depth)}}`)
      }
      case 3:
        return Buffer.from(text + ' '.repeat(random.pick([1, 2 ** 20, 15 * 2 ** 20, 17 * 2 ** 20])))
      case 4:
        return Buffer.from(text.replace('{', '{"formatVersion":3,"formatVersion":1,"__proto__":{"stages":null},'))
      case 5:
        return Buffer.from(text.replace('{', '{"constructor":{"prototype":{"x":1}},"toString":1,'))
      default:
        return mutated(random, bytes, WORDS)
    }
  })
  return { what: `${name} text ${choice}` }
}

/**
 * A file is another one once it has been checked: what was checked must be what runs.
 * @param {Target} target
 * @returns {Change}
 */
function changedLater(target) {
  const { directory, random } = target
  const stage = random.pick(STAGE_NAMES)
  const file = join(directory, program(stage))
  const fresh = random.chance(0.8) ? otherWeights(random, readFileSync(file)) : Buffer.from('this is no program')
  const inPlace = random.chance(0.5)
  if (inPlace) replace(file, readFileSync(file)) // a file of its own: the base model's shares its bytes
  return {
    what: `${stage} ${inPlace ? 'in place' : 'by rename'}`,
    residency: random.chance(0.5) ? 'sequential' : 'all',
    later() {
      if (inPlace) return writeFileSync(file, fresh)
      writeFileSync(`${file}.fresh`, fresh)
      renameSync(`${file}.fresh`, file)
    }
  }
}
