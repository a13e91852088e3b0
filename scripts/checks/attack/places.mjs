/** The places in a call's arguments, and what is put there. */
import { types } from 'node:util'
import { OwnError, VALUES } from './hostile-values.mjs'
/** @import { Random } from './random.mjs' */
/** @import { World } from './call.mjs' */

/** @typedef {any} Any */
/** @typedef {(string | number)[]} Path */

/** Lists and plain objects are entered; everything else is one place. @param {Any} value */
function isOpen(value) {
  if (value === null || typeof value !== 'object' || types.isProxy(value)) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}

/** What a property holds, without asking a getter that is there by now. @param {Any} value @param {string | number} key */
const plain = (value, key) => (isOpen(value) ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined)

/** Every argument, every property of one, and what is in those. @param {Any[]} args @returns {Path[]} */
function placesOf(args) {
  /** @type {(value: Any, at: Path) => Path[]} */
  const below = (value, at) => {
    if (!isOpen(value) || at.length > 6) return at.length === 0 ? [] : [at]
    const keys = Array.isArray(value) ? Object.keys(value).slice(0, 3).map(Number) : Object.keys(value)
    const inner = keys.flatMap(key => below(plain(value, key), [...at, key]))
    return at.length === 0 ? inner : [at, ...inner]
  }
  return below(args, [])
}

/** @param {Any[]} args @param {Path} path */
function parentOf(args, path) {
  return path.slice(0, -1).reduce((/** @type {Any} */ value, key) => plain(value, key), args)
}

/** Everything in the arguments that has memory, however deep. @param {Any} value @param {(buffer: Any) => void} visit */
function eachBuffer(value, visit) {
  if (ArrayBuffer.isView(value)) visit(value.buffer)
  else if (isOpen(value)) {
    for (const [, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(value)))
      if ('value' in descriptor) eachBuffer(descriptor.value, visit)
  }
}

const collect = () => /** @type {Any} */ (globalThis).gc?.()

/** @param {Any[]} args */
function detachAll(args) {
  eachBuffer(args, buffer => {
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) structuredClone(null, { transfer: [buffer] })
  })
  collect()
}

/**
 * What a getter does before it gives the right value.
 * @type {Readonly<Record<string, (world: World, args: Any[]) => void>>}
 */
const ACTS = {
  throws: () => {
    throw new OwnError('a getter')
  },
  'detaches all memory': (_world, args) => detachAll(args),
  'collects garbage': collect,
  'disposes of the pipeline': world => void world.pipeline.dispose(),
  'disposes of the stage': world => void world.stage.dispose(),
  'disposes of tensors': world => [world.tensor, world.latents, world.embeddings].forEach(each => each.dispose()),
  'disposes of handles': world => {
    for (const dispose of [
      () => world.native.disposeTensor(world.tensorHandle),
      () => world.native.disposeTensor(world.latentsHandle),
      () => void world.native.disposeStage(world.stageHandle)
    ])
      attempt(dispose)
  },
  'disposes of the engine': world => attempt(() => void world.native.disposeEngine(world.engineHandle)),
  'empties the arguments': (_world, args) => {
    for (const each of args) if (Array.isArray(each)) each.length = 0
  }
}

/** @param {Any} parent @param {string | number} key @param {unknown} value */
const put = (parent, key, value) =>
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true })

/** @param {() => unknown} call */
function attempt(call) {
  try {
    call()
  } catch {
    // It was gone already.
  }
}

/**
 * Puts something hostile somewhere.
 * @param {Random} random @param {World} world @param {Any[]} args changed
 * @returns {{ shown: string, ownTypeError: boolean }}
 */
export function spoil(random, world, args) {
  const path = random.pick([...placesOf(args), [args.length]])
  const shown = `[${path.join('.')}]`
  const [parent, key] = [parentOf(args, path), /** @type {string | number} */ (path.at(-1))]
  if (!isOpen(parent) || !Object.isExtensible(parent)) return { shown: 'nothing', ownTypeError: false }
  const old = plain(parent, key)
  const way = random.next()
  if (way < 0.25 && path.length > 1) {
    const act = random.pick(Object.keys(ACTS))
    Object.defineProperty(parent, key, {
      enumerable: true,
      configurable: true,
      get() {
        ACTS[act]?.(world, args)
        return old
      }
    })
    return { shown: `${shown} ${act}`, ownTypeError: false }
  }
  if (way < 0.32 && path.length > 1) {
    // Right when it is looked at first, something else when it is used.
    const { name, value, ownTypeError } = hostile(random, world)
    let times = random.int(3)
    Object.defineProperty(parent, key, { enumerable: true, configurable: true, get: () => (times-- > 0 ? old : value) })
    return { shown: `${shown} becomes ${name}`, ownTypeError }
  }
  if (way < 0.4 && old !== null && typeof old === 'object') {
    const act = random.pick(Object.keys(ACTS))
    // Bytes are read one by one through a proxy, and an act takes its time.
    let times = 20
    put(
      parent,
      key,
      new Proxy(old, {
        get(target, property) {
          if (times-- > 0) ACTS[act]?.(world, args)
          return Reflect.get(target, property)
        }
      })
    )
    // A proxy of an object with private fields is none of that class.
    return { shown: `${shown} proxy that ${act}`, ownTypeError: !isOpen(old) }
  }
  if (way < 0.43 && isOpen(old)) {
    const name = random.pick(['x', '__proto__', 'then', 'toJSON', 'constructor', 'length'])
    attempt(() => Object.defineProperty(old, name, { value: hostile(random, world).value, enumerable: true, configurable: true }))
    return { shown: `${shown} with ${name}`, ownTypeError: false }
  }
  const { name, value, ownTypeError } = hostile(random, world)
  put(parent, key, value)
  return { shown: `${shown} = ${name}`, ownTypeError }
}

/** @param {Random} random @param {World} world */
export function hostile(random, world) {
  if (random.chance(0.15)) {
    const things = {
      ...world,
      ...Object.fromEntries(Object.entries(world.gone).map(([key, value]) => [`disposed ${key}`, value]))
    }
    const name = random.pick(Object.keys(things).filter(key => key !== 'gone'))
    const value = /** @type {Any} */ (things)[name]
    // What else is changed in the arguments must not change the addon itself.
    return { name, value: name === 'native' ? Object.freeze({ ...value }) : value, ownTypeError: false }
  }
  const name = random.pick(Object.keys(VALUES))
  const { make, ownTypeError = false } = /** @type {NonNullable<typeof VALUES[string]>} */ (VALUES[name])
  return { name, value: make(), ownTypeError }
}
