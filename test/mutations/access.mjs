/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const KEYS = 'test/server/keys/api-keys.test.ts'
const KEYLESS = 'test/server/http/keyless.test.ts'

/** Who may call the server, where it listens, and what is around it. @type {readonly Mutation[]} */
export const ACCESS = [
  {
    name: 'any-key-will-do',
    file: 'lib/server/keys/entries.ts',
    find: 'if (timingSafeEqual(key.sha256, sha256)) found = key',
    replace: 'if (timingSafeEqual(key.sha256, key.sha256) && sha256.length > 0) found = key',
    tests: [KEYS],
    why: 'a key is compared'
  },
  {
    name: 'hashes-are-zeros',
    file: 'lib/server/keys/entries.ts',
    find: "Buffer.from(hex, 'hex')",
    replace: 'Buffer.alloc(32)',
    tests: [KEYS],
    why: 'a key is found by its hash'
  },
  {
    name: 'short-hash-is-a-key',
    file: 'lib/server/keys/entries.ts',
    find: 'if (hex === undefined && (LIKE_A_HASH.test(key) || LIKE_A_HASH.test(entry))) return undefined',
    replace: '',
    tests: [KEYS],
    why: 'a hash that was cut off is refused at the start'
  },
  {
    name: 'one-key-for-two',
    file: 'lib/server/keys/entries.ts',
    find: '    byHash.set(hash, index)\n',
    replace: '',
    tests: [KEYS],
    why: 'nobody guesses which of two scopes a key has'
  },
  {
    name: 'no-key-opens-the-server',
    file: 'lib/server/keys/api-keys.ts',
    find: "  if (lines.length === 0) throw refuse('it has none')\n",
    replace: '',
    tests: [KEYS],
    why: 'a file of keys that was not mounted is told as that'
  },
  {
    name: 'other-names-of-this-machine',
    file: 'lib/server/http/client.ts',
    find: '(:\\d+)?$/i.test(host)',
    replace: '(:\\d+)?/i.test(host)',
    tests: [KEYLESS],
    why: "a page's name must not pass for this machine"
  },
  {
    name: 'proxy-taken-for-this-machine',
    file: 'lib/server/http/client.ts',
    find: 'find(name => OF_PROXIES.test(name))',
    replace: "find(name => name === 'x-forwarded-for')",
    tests: [KEYLESS],
    why: 'a proxy lets nobody in where there are no keys'
  },
  {
    name: 'anybody-says-127',
    file: 'lib/server/http/auth.ts',
    find: 'forwarded && isForwardedLocally(request)',
    replace: 'isForwardedLocally(request)',
    tests: [KEYLESS],
    why: 'only a proxy that is trusted is believed'
  },
  {
    name: 'gone-client-is-local',
    file: 'lib/server/http/client.ts',
    find: 'return localAddress === undefined && destroyed !== true',
    replace: 'return true',
    tests: [KEYLESS],
    why: 'a client of elsewhere that has left is not this machine'
  },
  {
    name: 'prefix-of-another-host',
    file: 'lib/server/http/client.ts',
    find: "return /^(\\/[A-Za-z0-9._~-]+)+$/.test(prefix) ? prefix : ''",
    replace: 'return prefix',
    tests: [KEYLESS],
    why: 'a Location leads to this server'
  },
  {
    name: 'one-model-takes-all-down',
    file: 'lib/server/models/registry.ts',
    find: 'await slot.use(async () => {}).catch(() => {})',
    replace: 'await slot.use(async () => {})',
    tests: ['test/server/operations.test.ts'],
    why: 'a model that cannot be loaded keeps no other from it'
  },
  {
    name: 'failed-until-asked',
    file: 'lib/server/models/slot.ts',
    find: 'void this.use(async () => {}).catch(() => {})',
    replace: 'undefined',
    tests: ['test/server/models/slot.test.ts'],
    why: 'a model that was repaired comes back by itself'
  },
  {
    name: 'host-hooks-passed-by',
    file: 'lib/server/http/embed.ts',
    find: 'scope.route({ method, url: path, handler,',
    replace: 'scope.route({ method, url: path, onRequest: (a, b) => void handler(a, b), handler,',
    tests: ['test/server/embedded.test.ts'],
    why: "an application's own question who calls is asked"
  },
  {
    name: 'half-a-reload',
    file: 'lib/cli/reload.ts',
    find: 'const identity = tls === undefined ? undefined : await readIdentity(tls)\n  const count = await keys?.reload()',
    replace: 'const count = await keys?.reload()\n  const identity = tls === undefined ? undefined : await readIdentity(tls)',
    tests: ['test/server/http/place.test.ts'],
    why: 'keys and certificate are replaced together or not at all'
  },
  {
    name: 'socket-for-everybody',
    file: 'lib/server/http/place.ts',
    find: 'SOCKET_MODE = 0o660',
    replace: 'SOCKET_MODE = 0o666',
    tests: ['test/server/http/place.test.ts'],
    why: 'a unix socket is for its owner and group'
  },
  {
    name: 'kubernetes-port',
    file: 'lib/cli/serve-place.ts',
    find: 'if (/^(tcp|udp|sctp):\\/\\//i.test(text)) {',
    replace: 'if (text === undefined) {',
    tests: ['test/cli/serve-options.test.ts'],
    why: 'a service of the same name does not keep the server from starting'
  }
]
