/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const MEMORY = ['test/server/jobs/memory-store.test.ts']
const KEYS = ['test/server/http/idempotency.test.ts']
const SENDER = ['test/server/webhooks/sender.test.ts']
const ADDRESSES = ['test/server/webhooks/addresses.test.ts']

/**
 * What clients build on: keys by which they ask again, pages, and webhooks.
 * @type {readonly Mutation[]}
 */
export const WEBHOOKS = [
  {
    name: 'key-for-one-request',
    file: 'lib/server/jobs/idempotency.ts',
    find: 'known.fingerprint !== fingerprint',
    replace: 'known.fingerprint === ""',
    tests: MEMORY,
    why: 'another request with the same key would get an answer that was not meant for it'
  },
  {
    name: 'key-of-one-owner',
    file: 'lib/server/jobs/idempotency.ts',
    find: 'JSON.stringify([owner, key])',
    replace: 'JSON.stringify([key, typeof owner])',
    tests: MEMORY,
    why: 'one owner would get the images of another'
  },
  {
    name: 'key-with-its-job',
    file: 'lib/server/jobs/memory-store.ts',
    find: '      this.#keys.remove(view)\n    })',
    replace: '    })',
    tests: MEMORY,
    why: 'keys would be remembered for ever'
  },
  {
    name: 'key-after-passing-failure',
    file: 'lib/server/jobs/memory-store.ts',
    find: '    if (!isAnswer(last)) this.#keys.remove(view)\n',
    replace: '',
    tests: KEYS,
    why: 'whoever comes back after Retry-After would get the same failure for an hour'
  },
  {
    name: 'key-outlives-its-client',
    file: 'lib/server/http/submit.ts',
    find: '  if (key === undefined && untilGone)',
    replace: '  if (untilGone)',
    tests: KEYS,
    why: 'a client that lost its connection would come back to a cancelled job'
  },
  {
    name: 'files-by-their-bytes',
    file: 'lib/server/jobs/fingerprint.ts',
    find: '.update(value)\n',
    replace: '\n',
    tests: KEYS,
    why: 'two images of one length would be the same request'
  },
  {
    name: 'paging-ends',
    file: 'lib/server/jobs/memory-store.ts',
    find: 'if (after !== undefined && from === 0)',
    replace: 'if (false)',
    tests: MEMORY,
    why: 'a client that goes from page to page would begin again when its anchor has expired'
  },
  {
    name: 'low-priority-waits',
    file: 'lib/server/jobs/fair-queue.ts',
    find: ' || overtaken >= MOST_OVERTAKEN',
    replace: ' || overtaken >= 2 * MOST_OVERTAKEN',
    tests: ['test/server/jobs/fair-queue.test.ts'],
    why: 'a low priority would wait longer than is documented'
  },
  {
    name: 'webhook-resolved-address',
    file: 'lib/server/webhooks/post.ts',
    find: 'addresses.filter(({ address }) => allow.reaches(address))',
    replace: 'addresses',
    tests: SENDER,
    why: 'a name could lead to the services of this machine'
  },
  {
    name: 'webhook-any-private-address',
    file: 'lib/server/webhooks/post.ts',
    find: 'addresses.filter(({ address }) => allow.reaches(address))',
    replace: '(addresses.some(({ address }) => allow.reaches(address)) ? addresses : [])',
    tests: SENDER,
    why: 'a name with a public address beside a private one could lead to this machine'
  },
  {
    name: 'webhook-mapped-address',
    file: 'lib/server/webhooks/special-addresses.ts',
    find: "['::ffff:', '64:ff9b::']",
    replace: "['::ffff:']",
    tests: ADDRESSES,
    why: 'behind a NAT64 nobody could be told, or everybody'
  },
  {
    name: 'webhook-listed-port',
    file: 'lib/server/webhooks/allow-list.ts',
    find: '        place.port === port &&\n',
    replace: '',
    tests: ADDRESSES,
    why: 'every port of a listed host could be reached'
  },
  {
    name: 'webhook-bounded-attempts',
    file: 'lib/server/webhooks/retry.ts',
    find: 'attempts >= MOST_ATTEMPTS',
    replace: 'attempts > MOST_ATTEMPTS',
    tests: SENDER,
    why: 'a receiver that is broken would be called more often than is documented'
  },
  {
    name: 'webhook-lost-is-logged',
    file: 'lib/server/webhooks/sender.ts',
    find: "for (const message of await this.#courier.close()) this.#giveUp(message, 'the server ends')",
    replace: 'await this.#courier.close()',
    tests: SENDER,
    why: 'nobody would hear of a message that was lost when the server ended'
  },
  {
    name: 'edits-one-by-one',
    file: 'lib/pipeline/run.ts',
    find: 'return onImage?.({ index: event.image, image })',
    replace: 'return undefined',
    tests: ['test/server/models/run-work.test.ts'],
    why: 'images would not be sent when they are finished'
  }
]
