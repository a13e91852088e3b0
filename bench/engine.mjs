// What only an engine has, and no peer to compare with: the event loop under load, requests that share batches.
import { join } from 'node:path'
import { root } from './places.mjs'
import { interrupted, runLines, runText } from './process.mjs'
import { spread } from './results.mjs'

/** p99 of the event loop's delay in milliseconds, while eight clients keep the engine busy. */
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
      { env: { ...process.env, ...env } }
    )
  )
  return report.clients[0].eventLoopDelay
}

/** Sixteen requests with different prompts and steps that arrive at random, together and one after another: ratios of the two. */
export async function measureSharing(model, { width }, rounds, { threads, env }) {
  try {
    const lines = await runLines(
      process.execPath,
      ['bench/sharing.mjs', model, '--rounds', String(rounds), '--size', String(width), '--threads', String(threads)],
      env
    )
    return spreadOf(lines.filter(({ round }) => round !== undefined).map(({ ratio }) => ratio))
  } catch (error) {
    interrupted.signal.throwIfAborted()
    return { unavailable: error.message }
  }
}

function spreadOf(ratios) {
  return Object.fromEntries(Object.keys(ratios[0]).map(key => [key, spread(ratios.map(ratio => ratio[key]))]))
}
