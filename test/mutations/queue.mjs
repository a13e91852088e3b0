/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const ACROSS = ['test/server/queue/across.test.ts']
const CHECKED = ['test/server/queue/checked-work.test.ts']
const SECRETS = ['test/server/queue/secrets.test.ts']

/**
 * Servers and workers on a queue.
 * @type {readonly Mutation[]}
 */
export const QUEUE = [
  {
    name: 'queue-image-told-twice',
    file: 'lib/server/queue/follower.ts',
    find: 'if (this.#told.has(name)) return false',
    replace: 'if (this.#told.has(type)) return true',
    tests: ACROSS,
    why: 'a stream would have an image of each run of a job that ran twice'
  },
  {
    name: 'queue-unfair',
    file: 'lib/server/queue/lua/claim.ts',
    find: "local owner = call('ZRANGE', P .. 'pass:' .. model, 0, 0)[1]",
    replace: "local owner = call('ZRANGE', P .. 'pass:' .. model, -1, -1)[1]",
    tests: ACROSS,
    why: 'a key with many jobs would go before one with few'
  },
  {
    name: 'queue-cancel-untold',
    file: 'lib/server/queue/lua/prelude.ts',
    find: "if facts[6] ~= '0' then call('PUBLISH', P .. 'stop'",
    replace: "if facts[6] == 'never' then call('PUBLISH', P .. 'stop'",
    tests: ACROSS,
    why: 'a worker that makes no step would go on with what nobody wants'
  },
  {
    name: 'queue-limit-of-one-server',
    file: 'lib/server/queue/lua/accept.ts',
    find: "if tonumber(call('HGET', P .. 'queuedOf', owner) or '0') >= maxPerKey then",
    replace: 'if false then',
    tests: ACROSS,
    why: "a key's share would be larger the more servers there are"
  },
  {
    name: 'queue-job-names-file',
    file: 'lib/server/queue/checked-work.ts',
    find: "new Set(['mask', 'latents'",
    replace: "new Set(['latents'",
    tests: CHECKED,
    why: 'whoever writes to the queue could have a worker open its files'
  },
  {
    name: 'queue-address-quoted',
    file: 'lib/server/queue/address.ts',
    find: "for queue but it is something else',",
    replace: "for queue but it is ' + String(value),",
    tests: SECRETS,
    why: 'a password would be in an error'
  }
]
