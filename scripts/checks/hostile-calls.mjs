#!/usr/bin/env node
/**
 * Every function of the package and of its addon, with hostile values in every place, and random orders of using and disposing,
 * in child processes: `node scripts/checks/hostile-calls.mjs [--count 20000] [--seed 1] [--only 17,18]`. It ends with 1 for a
 * crash, a hang, a promise that never settles, or an error that is neither typed nor the hostile value's own. At the addon
 * alone a plain TypeError is right, and so it is for a method that is called on something else.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { WuerstchenError } from '../../dist/index.js'
import { runCases, serveCases, withAddressSpace } from './attack/children.mjs'
import { OwnError } from './attack/hostile-values.mjs'
import { interleave } from './attack/interleavings.mjs'
import { hostile, spoil } from './attack/places.mjs'
import { BINDING } from './attack/native-calls.mjs'
import { PUBLIC } from './attack/public-calls.mjs'
import { Random } from './attack/random.mjs'
import { checkOptions, report } from './attack/report.mjs'
import { completed, notAttacked } from './attack/world.mjs'
/** @import { Call, World } from './attack/call.mjs' */
/** @import { Outcome } from './attack/children.mjs' */

/** @typedef {any} Any */

const options = checkOptions('Usage: node scripts/checks/hostile-calls.mjs', { count: 20_000, limitMs: 20_000 })

/** A promise that is still pending then is taken to be so for ever. A sanitizer and other work make a load take many seconds. */
const SETTLE_MS = options.limitMs / 2
const ADDRESS_SPACE = 8 * 2 ** 30

const CALLS = { ...PUBLIC, ...Object.fromEntries(Object.entries(BINDING).map(([name, call]) => [`native ${name}`, call])) }
const INTERLEAVING = 'interleaving'
const WEIGHTS = {
  ...Object.fromEntries(Object.entries(CALLS).map(([name, { weight = 1 }]) => [name, weight])),
  [INTERLEAVING]: 5
}
/** The first cases are those that have ended a process before, as they were found. */
const KNOWN = ['memory detached by a getter of shape', 'memory detached by a getter of width']

/** @param {number} index */
function beginning(index) {
  const random = new Random(options.seed, index)
  return { kind: KNOWN[index] ?? random.weighted(WEIGHTS), random }
}
/** @param {number} index */
const kindOf = index => beginning(index).kind

async function main() {
  const cwd = mkdtempSync(join(tmpdir(), 'wuerstchen-calls-'))
  try {
    const forgotten = notAttacked(/** @type {Any} */ (await completed({})))
    if (forgotten.length > 0) console.log(`NOT ATTACKED, as no table has them: ${forgotten.join(', ')}`)
    const start = performance.now()
    const outcomes = await runCases({
      script: fileURLToPath(import.meta.url),
      args: ['--seed', String(options.seed)],
      nodeArgs: ['--expose-gc'],
      wrapper: withAddressSpace(ADDRESS_SPACE),
      cases: options.cases,
      kindOf,
      limitMs: options.limitMs,
      lanes: options.lanes,
      perChild: 1000,
      cwd,
      onOutcome: outcome => {
        if (options.only !== undefined || (options.verbose && fails(outcome))) console.log(JSON.stringify(outcome))
      }
    })
    console.log(`seed ${options.seed}, ${((performance.now() - start) / 1000).toFixed(0)} s`)
    const noted = (/** @type {Outcome} */ { outcome }) => outcome === 'internal'
    return (
      report(outcomes, fails, { noted, command: `node scripts/checks/hostile-calls.mjs --seed ${options.seed}` }) &&
      forgotten.length === 0
    )
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

const FAILING = ['crash', 'hang', 'untyped', 'never settles', 'unhandled', 'does not work', 'stale memory', 'the check is broken']
/** @param {Outcome} outcome */
const fails = ({ outcome }) => FAILING.includes(outcome)

/**
 * What a call threw.
 * @param {unknown} error
 * @param {{ typeError: boolean }} allowed
 * @returns {{ outcome: string, detail?: string }}
 */
function judged(error, { typeError }) {
  if (WuerstchenError.is(error)) {
    if (error.code === 'INTERNAL') return { outcome: 'internal', detail: error.message.slice(0, 200) }
    return { outcome: 'typed' }
  }
  if (error instanceof OwnError) return { outcome: "the value's own" }
  if (/** @type {Any} */ (error)?.syscall !== undefined) return { outcome: "the system's" }
  // A list of another realm makes one of that realm.
  if (typeError && /** @type {Any} */ (error)?.name === 'TypeError') return { outcome: 'TypeError' }
  return { outcome: 'untyped', detail: String(error).slice(0, 200) }
}

/** Waits for whatever a call gave, and frees it. @param {Any} result @param {World} world */
async function settled(result, world) {
  let value = await result
  if (typeof value?.next === 'function') {
    for await (const _ of value) break
    return
  }
  if (value?.loaded instanceof Promise) {
    await value.loaded.finally(() => world.native.disposeEngine(value.engine))
    return
  }
  if (value?.done instanceof Promise) value = await value.done
  const mine = Object.values(world)
  for (const each of [value].flat()) {
    if (mine.includes(each)) continue
    if (typeof each?.dispose === 'function') await each.dispose()
    else if (typeof each === 'object') await freeHandle(each, world.native)
  }
}

/** @param {Any} handle @param {Any} native */
async function freeHandle(handle, native) {
  for (const free of [native.disposeTensor, native.disposeStage, native.disposeEngine]) {
    try {
      await free(handle)
      return
    } catch {
      // It is of another kind.
    }
  }
}

/** @param {Call} call @param {Any} self @param {Any[]} args */
function perform({ kind, method }, self, args) {
  if (kind === 'construct') return Reflect.construct(self[method], args)
  if (kind === 'get') return self[method]
  return self[method](...args)
}

/** @param {Random} random @param {Call} call @param {World} world @param {(text: string) => void} note */
async function attack(random, call, world, note) {
  const args = call.args(world)
  let self = call.self(world)
  // A message that cannot be a text is a TypeError of the language.
  let [shown, typeError] = ['', call.binding === true || call.kind === 'construct']
  if (!call.binding && call.kind !== 'construct' && random.chance(0.06)) {
    const { name, value } = hostile(random, world)
    const owner = self
    const descriptor = findProperty(owner, call.method)
    self = { [call.method]: (/** @type {Any[]} */ ...given) => Reflect.apply(descriptor?.get ?? descriptor?.value, value, given) }
    if (call.kind === 'get')
      Object.defineProperty(self, call.method, { get: () => Reflect.apply(/** @type {Any} */ (descriptor?.get), value, []) })
    ;[shown, typeError] = [`this = ${name}`, true]
  } else {
    for (let times = random.chance(0.1) ? 2 : 1; times > 0; times--) {
      const spoilt = spoil(random, world, args)
      shown += `${spoilt.shown} `
      typeError ||= spoilt.ownTypeError
    }
  }
  note(shown)
  try {
    const result = settled(perform(call, self, args), world)
    result.catch(() => {})
    if ((await Promise.race([result, sleep(SETTLE_MS, 'pending', { ref: false })])) === 'pending')
      return { outcome: 'never settles', detail: shown, spoiled: true }
    return { outcome: 'accepted' }
  } catch (error) {
    const { outcome, detail } = judged(error, { typeError })
    return { outcome, detail: detail === undefined ? undefined : `${shown}→ ${detail}` }
  }
}

/** @param {Any} owner @param {string | symbol} name @returns {PropertyDescriptor | undefined} */
function findProperty(owner, name) {
  for (let each = owner; each !== null; each = Object.getPrototypeOf(each)) {
    const descriptor = Object.getOwnPropertyDescriptor(each, name)
    if (descriptor !== undefined) return descriptor
  }
  return undefined
}

/**
 * A getter takes the memory away while the addon reads, and fills it with something else. What is made of it must be refused, or
 * made of the bytes that were given: else the addon read memory that is no longer the argument's.
 * @param {number} index @param {World} world
 */
async function known(index, { native }) {
  const data = new Uint8Array(index === 0 ? 1 << 26 : 4096 * 4096 * 3).fill(7)
  /** @type {Any} */
  let stolen
  const take = () => {
    stolen ??= new Uint8Array(structuredClone(data.buffer, { transfer: [data.buffer] })).fill(200)
    const { gc } = /** @type {Any} */ (globalThis)
    gc()
  }
  const shape = Object.defineProperty([0], 0, { get: () => (take(), 1 << 26) })
  const pixels = Object.defineProperty({ data, height: 4096 }, 'width', { get: () => (take(), 4096) })
  const target = { gridHeight: 1, gridWidth: 1, fit: 'fill' }
  try {
    const made = index === 0 ? native.createTensor(data, shape, 'uint8') : await native.preprocessImage(pixels, target)
    const bytes = new Uint8Array(await native.tensorData(made))
    const right = new Uint8Array(
      index === 0
        ? [7]
        : await native.tensorData(
            await native.preprocessImage({ data: new Uint8Array(32 * 32 * 3).fill(7), width: 32, height: 32 }, target)
          )
    )
    return right.every((byte, at) => byte === bytes[at])
      ? { outcome: 'accepted' }
      : { outcome: 'stale memory', detail: `${bytes[0]} where ${right[0]} was given` }
  } catch (error) {
    return judged(error, { typeError: true })
  }
}

async function serve() {
  /** @type {Partial<World>} */
  let world = {}
  await completed(world)
  /** @type {string[]} */
  let unhandled = []
  const keep = (/** @type {unknown} */ error) => {
    // A listener's own failure, where nobody else could be told.
    if (!(error instanceof OwnError)) unhandled.push(String(/** @type {Any} */ (error)?.stack ?? error).slice(0, 300))
  }
  process.on('unhandledRejection', keep)
  process.on('uncaughtException', keep)
  process.on('warning', warning => {
    if (/** @type {Any} */ (warning).code === 'DEP0168') unhandled.push('an exception in a callback of the addon was dropped')
  })
  serveCases(async (index, note) => {
    const { kind, random } = beginning(index)
    try {
      world = await completed(world)
    } catch (error) {
      return { outcome: 'does not work', detail: `the world: ${String(error).slice(0, 200)}`, spoiled: true }
    }
    /** @type {{ outcome: string, detail?: string, spoiled?: boolean }} */
    let result = { outcome: 'accepted' }
    if (KNOWN.includes(kind)) result = await known(index, /** @type {World} */ (world))
    else if (kind === INTERLEAVING) {
      const steps = await interleave(random, /** @type {World} */ (world), error => {
        const each = judged(error, { typeError: /** @type {Any} */ (error)?.name === 'TimeoutError' })
        const timedOut = /** @type {Any} */ (error)?.name === 'TimeoutError'
        if (!timedOut && (fails({ ...each, index, kind }) || result.outcome === 'accepted')) result = each
      })
      result = { ...result, detail: `${result.detail ?? ''} in ${steps}` }
    } else {
      const call = /** @type {Call} */ (/** @type {Any} */ (CALLS)[kind])
      result = await attack(random, call, /** @type {World} */ (world), note)
      if (call.last) result = { ...result, spoiled: true }
    }
    await new Promise(resolve => setImmediate(resolve))
    if (unhandled.length > 0) {
      result = { outcome: 'unhandled', detail: `${result.detail ?? ''} ${unhandled[0]}` }
      unhandled = []
    }
    return result
  })
}

if (options.child) await serve()
else process.exitCode = (await main()) ? 0 : 1
