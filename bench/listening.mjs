import { once } from 'node:events'
import { createInterface } from 'node:readline'
/** @import { ChildProcess } from 'node:child_process' */

/**
 * The first address that a child writes, on what it has of stdout and stderr, is where it listens. It is read on to its end, so
 * that it can go on writing.
 * @param {ChildProcess} child
 * @returns {Promise<string>}
 */
export async function listeningAt(child) {
  /** @type {string[]} */
  const seen = []
  /** @type {Promise<string>} */
  const found = new Promise(resolve => {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', line => {
        seen.push(line)
        if (seen.length > 50) seen.shift()
        const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
        if (address !== undefined) resolve(address)
      })
    }
  })
  // An `error` of the child rejects too.
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The server ended with ${code} before it listened: ${seen.join('\n')}`)
  })
  return Promise.race([found, ended])
}
