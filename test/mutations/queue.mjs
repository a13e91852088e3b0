/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const ACROSS = ['test/server/queue/across.test.ts']
const CHECKED = ['test/server/queue/checked-work.test.ts']
const OUTAGE = ['test/server/queue/outage.test.ts']
const WEBHOOKS = ['test/server/queue/webhooks.test.ts']
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
    file: 'lib/server/queue/redis/lua/claim.ts',
    find: "local owner = call('ZRANGE', P .. 'pass:' .. model, 0, 0)[1]",
    replace: "local owner = call('ZRANGE', P .. 'pass:' .. model, -1, -1)[1]",
    tests: ACROSS,
    why: 'a key with many jobs would go before one with few'
  },
  {
    name: 'queue-cancel-untold',
    file: 'lib/server/queue/redis/lua/prelude.ts',
    find: "if facts[6] ~= '0' and facts[6] ~= own then call('PUBLISH', TOLD .. 'stop'",
    replace: "if facts[6] == 'never' then call('PUBLISH', TOLD .. 'stop'",
    tests: ACROSS,
    why: 'a worker that makes no step would go on with what nobody wants'
  },
  {
    name: 'queue-limit-of-one-server',
    file: 'lib/server/queue/redis/lua/accept.ts',
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
  },
  {
    name: 'queue-lost-ticket-is-poison',
    file: 'lib/server/queue/redis/lua/ended.ts',
    find: 'if said >= since and said <= tonumber(at) then',
    replace: 'if said >= since then said = 0',
    tests: OUTAGE,
    why: 'a job would fail for what an outage of the queue did to it'
  },
  {
    name: 'queue-half-done-without-memory',
    file: 'lib/server/queue/redis/scripts.ts',
    find: "`call('SETRANGE', P .. 'nothing', 0, '')\\n`",
    replace: '``',
    tests: OUTAGE,
    why: 'a job would be out of its lane and nowhere else'
  },
  {
    name: 'queue-outage-fails-job',
    file: 'lib/server/queue/reach.ts',
    find: '|OOM|',
    replace: '|',
    tests: OUTAGE,
    why: 'work that is done would be lost while Redis is full'
  },
  {
    name: 'queue-webhook-without-lease',
    file: 'lib/server/queue/redis/lua/hooks.ts',
    find: "call('ZADD', P .. 'hooksOf:' .. host, time + leaseMs, name)",
    replace: "call('ZREM', P .. 'hooksOf:' .. host, name)",
    tests: WEBHOOKS,
    why: 'a message would be lost with the server that was sending it'
  },
  {
    name: 'queue-webhook-list-unchecked',
    file: 'lib/server/queue/deliveries.ts',
    find: 'if (this.#options.webhooks.allow.accept(message.url.href) === undefined)',
    replace: 'if (message.url.href === undefined)',
    tests: WEBHOOKS,
    why: 'whoever writes to the queue could say where servers send messages'
  },
  {
    name: 'no-courtesy-between-workers',
    file: 'lib/server/queue/queue-source.ts',
    find: 'if (this.#runs.size === 0) this.#look()',
    replace: 'if (this.#runs.size >= 0) this.#look()',
    tests: ['test/server/queue/across.test.ts'],
    why: 'a worker that has nothing to do gets new work, not the one that listened first'
  }
]
