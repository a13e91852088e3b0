// What only an engine has, and no peer to compare with: the event loop under load, requests that share batches.
import { join } from 'node:path'
import { root } from './places.mjs'
import { interrupted, messageOf, runLines, runText } from './process.mjs'
import { spread } from './results.mjs'

/**
 * @import { EventLoopDelay } from '../dist/bench/event-loop.js'
 * @import { Common, Setting } from './cases.mjs'
 * @import { Spread } from './results.mjs'
 */

/**
 * Milliseconds, or ratios of them: requests together over the same one after another.
 * @typedef {{ makespan: number, latency: number, cpu: number }} Sharing
 */

/** @typedef {Record<keyof Sharing, Spread> | { unavailable: string }} SharingFigures */

/**
 * The event loop's delay in milliseconds, while eight clients keep the engine busy.
 * @param {string} model
 * @param {Setting} setting
 * @param {Common} common
 * @returns {Promise<EventLoopDelay>}
 */
export async function measureEventLoop(model, { width, height }, { threads, env }) {
  const report = JSON.parse(
    await runText(
      process.execPath,
      [
        join(root, 'dist', 'cli', 'main.js'),
        'bench',
        '--json',
        '--quiet',
        '--model',
        model,
        '--measures',
        'clients',
        '--clients',
        '8',
        '--requests',
        '24',
        '--warm-up',
        '2',
        '--threads',
        String(threads),
        '--device',
        'cpu',
        '--dtype',
        'float32',
        '--width',
        String(width),
        '--height',
        String(height)
      ],
      env
    )
  )
  return report.clients[0].eventLoopDelay
}

/**
 * Sixteen requests with different prompts and steps that arrive at random, together and one after another: ratios of the two.
 * @param {string} model
 * @param {Setting} setting
 * @param {number} rounds
 * @param {Common} common
 * @returns {Promise<SharingFigures>}
 */
export async function measureSharing(model, { width }, rounds, { threads, env }) {
  try {
    const lines = await runLines(
      process.execPath,
      ['bench/sharing.mjs', model, '--rounds', String(rounds), '--size', String(width), '--threads', String(threads)],
      env
    )
    const ofRounds = lines.filter(({ round }) => round !== undefined)
    const ratios = ofRounds.map(({ ratio }) => /** @type {Sharing} */ (ratio))
    /** @param {keyof Sharing} key */
    const spreadOf = key => spread(ratios.map(ratio => ratio[key]))
    return { makespan: spreadOf('makespan'), latency: spreadOf('latency'), cpu: spreadOf('cpu') }
  } catch (error) {
    interrupted.signal.throwIfAborted()
    return { unavailable: messageOf(error) }
  }
}
