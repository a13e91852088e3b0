import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ask } from './asking.mjs'
import { Fleet } from './fleet.mjs'

/** @import { Server } from '../serve-process.mjs' */
/** @import { ModeOptions, Outcome } from './outcome.mjs' */
/** @typedef {{ began: number, ended: number, status: number, hash: string | undefined, error: unknown }} Reply */

const WORKERS = 2
const CLIENTS = 16
const BODY = { prompt: 'a red house by the sea', size: '256x256' }

/**
 * Workers under constant load are replaced one by one by workers with another version of the model: nothing fails, and each
 * image names the version that made it.
 * @param {ModeOptions} options
 * @returns {Promise<Outcome>}
 */
export async function upgrade({ model, short, say }) {
  const phase = (short ? 1 : 15) * 1000
  const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-upgrade-'))
  const fleet = await Fleet.start()
  const stop = new AbortController()
  try {
    const next = await nextVersion(model, folder)
    const versions = { old: await hashOf(model), new: await hashOf(next) }
    const { url } = await fleet.server()
    const threads = Math.max(1, Math.floor(availableParallelism() / WORKERS))
    const old = await Promise.all(Array.from({ length: WORKERS }, () => fleet.worker(model, threads)))
    await fleet.untilOffered(WORKERS)
    /** @type {Reply[]} */
    const replies = []
    const clients = Array.from({ length: short ? 4 : CLIENTS }, async () => {
      while (!stop.signal.aborted) replies.push(await one(url))
    })
    await delay(phase)
    const began = performance.now()
    const codes = [await replace(0)]
    say('one of two workers is replaced')
    await delay(phase)
    codes.push(await replace(1))
    const over = performance.now()
    say('both workers are replaced')
    await delay(phase)
    stop.abort()
    await Promise.all(clients)
    return outcome({ replies, codes, versions, began, over })

    /** @param {number} at */
    async function replace(at) {
      await fleet.worker(next, threads)
      await fleet.untilOffered(WORKERS + 1)
      const leaving = /** @type {Server} */ (old[at])
      leaving.signal('SIGTERM')
      const code = await leaving.ended
      await fleet.untilOffered(WORKERS)
      return code
    }
  } finally {
    stop.abort()
    await fleet.close()
    await rm(folder, { recursive: true })
  }
}

/** @param {string} url @returns {Promise<Reply>} */
async function one(url) {
  const began = performance.now()
  const { status, body } = await ask(url, '/v1/images/generations', { body: BODY })
  // It is asked for no more images than it can make, so whatever else is said is a failure.
  if (status !== 200) await delay(100)
  const hash = body.data?.[0]?.parameters?.model?.hash
  return { began, ended: performance.now(), status, hash, error: body.error ?? (status === 200 ? undefined : body) }
}

/**
 * @typedef {{ old: string, new: string }} Versions hashes
 * @param {{ replies: Reply[], codes: (number | null)[], versions: Versions, began: number, over: number }} seen
 * @returns {Outcome}
 */
function outcome({ replies, codes, versions, began, over }) {
  const failed = replies.filter(({ status }) => status !== 200)
  const phases = {
    'before the first worker is replaced': replies.filter(({ ended }) => ended < began),
    'both versions side by side': replies.filter(each => each.ended >= began && each.began < over),
    'asked for after both were replaced': replies.filter(each => each.began >= over)
  }
  const madeBy = (/** @type {Reply[]} */ of, /** @type {string} */ version) => of.filter(({ hash }) => hash === version).length
  const named = madeBy(replies, versions.old) + madeBy(replies, versions.new)
  const late = madeBy(phases['asked for after both were replaced'], versions.old)
  const side = phases['both versions side by side']
  const both = [madeBy(side, versions.old), madeBy(side, versions.new)]
  const names = [versions.old, versions.new].map(hash => hash.slice(0, 10))
  return {
    tables: [
      [
        ['2 workers replaced under load', 'images', `by the old version, ${names[0]}`, `by the new one, ${names[1]}`, 'failed'],
        ...Object.entries(phases).map(([name, of]) => [
          ...[name, of.length, madeBy(of, versions.old), madeBy(of, versions.new)],
          of.filter(({ status }) => status !== 200).length
        ])
      ]
    ],
    targets: [
      { name: 'requests that failed', aim: '0', seen: `${failed.length} of ${replies.length}`, met: failed.length === 0 },
      {
        name: 'images that name the version that made them',
        aim: 'all',
        ...{ seen: `${named} of ${replies.length}`, met: named === replies.length }
      },
      {
        name: 'images of both versions while both were there',
        aim: '> 0 of each',
        ...{ seen: both.join(' and '), met: both.every(count => count > 0) }
      },
      { name: 'images of the old version that were asked for afterwards', aim: '0', seen: String(late), met: late === 0 },
      { name: 'exit codes of the old workers', aim: '0', seen: codes.join(', '), met: codes.every(code => code === 0) }
    ],
    figures: { versions, failures: failed.slice(0, 10), count: replies.length }
  }
}

/** The same model by another hash. @param {string} model @param {string} folder */
async function nextVersion(model, folder) {
  const next = join(folder, 'model')
  await cp(model, next, { recursive: true })
  const file = join(next, 'wuerstchen.json')
  const manifest = JSON.parse(await readFile(file, 'utf8'))
  manifest.name += '-next'
  await writeFile(file, JSON.stringify(manifest))
  return next
}

/** @param {string} model */
async function hashOf(model) {
  return createHash('sha256')
    .update(await readFile(join(model, 'wuerstchen.json')))
    .digest('hex')
}
