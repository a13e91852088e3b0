/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const FAILURES = 'test/server/http/failures.test.ts'
const RESULTS = 'test/server/http/results.test.ts'
const WATCHDOG = 'test/server/watchdog.test.ts'
const robustness = (/** @type {string} */ name) => `test/server/robustness/${name}.test.ts`

/** The HTTP server. @type {readonly Mutation[]} */
export const SERVER = [
  {
    name: 'prompt-in-the-log',
    file: 'lib/server/http/log.ts',
    find: '...factsOf(end, clientOf(request).address),',
    replace: '...factsOf(end, clientOf(request).address),\n    body: request.body,',
    tests: [robustness('discretion')],
    why: 'nothing of what was asked for is in the log'
  },
  {
    name: 'routes-without-a-key',
    file: 'lib/server/http/auth.ts',
    find: "if (auth === 'public' || request.is404) return",
    replace: "if (auth === 'public' || request.is404 || request.url.startsWith('/v1/jobs/')) return",
    tests: [robustness('auth-matrix')],
    why: 'every route but the public ones asks for a key'
  },
  {
    name: 'malformed-without-an-answer',
    file: 'lib/server/http/failures.ts',
    find: "if (error.code === 'ECONNRESET' || socket.destroyed) return",
    replace: 'if (error.code !== undefined) return void socket.destroy()',
    tests: [robustness('raw-requests')],
    why: 'bytes that are no request get an answer'
  },
  {
    name: 'no-word-of-when-to-come-back',
    file: 'lib/server/http/failures.ts',
    find: 'if (error.retryAfter !== undefined)',
    replace: 'if (error.retryAfter === undefined)',
    tests: [FAILURES, robustness('overload')],
    why: 'who is turned away hears when to come back'
  },
  {
    name: 'uploads-held-for-ever',
    file: 'lib/server/api/upload.ts',
    find: 'if (Buffer.isBuffer(bytes) && bytes.length > 0) return bytes',
    replace:
      'if (Buffer.isBuffer(bytes) && bytes.length > 0) {\n        ;((globalThis as never as { held: Buffer[] }).held ??= []).push(bytes)\n        return bytes\n      }',
    tests: [robustness('hostile-images')],
    why: 'nothing of a request outlives it'
  },
  {
    name: 'links-that-never-end',
    file: 'lib/server/http/result-links.ts',
    find: 'if (expires <= seconds()) throw linkEnded()',
    replace: '',
    tests: [RESULTS],
    why: 'an address of an image ends'
  },
  {
    name: 'links-to-any-image',
    file: 'lib/server/http/result-links.ts',
    find: '`${id}/${index}/${expires}`',
    replace: '`${id}/${expires}`',
    tests: [RESULTS],
    why: 'an address leads to one image alone'
  },
  {
    name: 'ignored-without-a-word',
    file: 'lib/server/api/ignored.ts',
    find: 'return NAMES.filter(',
    replace: 'return NAMES.slice(0, 0).filter(',
    tests: ['test/server/http/openai-fields.test.ts'],
    why: 'a reply names the fields that changed nothing'
  },
  {
    name: 'retries-that-cannot-help',
    file: 'lib/server/api/error.ts',
    find: 'return this.status === 500 ? undefined : false',
    replace: 'return undefined',
    tests: ['test/server/http/openai-fields.test.ts'],
    why: 'clients do not repeat work that fails again'
  },
  {
    name: 'passwords-everywhere',
    file: 'lib/server/http/auth.ts',
    find: 'routeOptions.config.basic === true',
    replace: 'routeOptions.config.auth !== undefined',
    tests: ['test/server/http/sdapi.test.ts'],
    why: 'passwords, which browsers send by themselves, open no other route'
  },
  {
    name: 'models-chosen-for-others',
    file: 'lib/server/sdapi/desk.ts',
    find: 'this.#models.set(owner, model)',
    replace: "this.#models.set(owner, model).set('bob', model)",
    tests: ['test/server/http/sdapi.test.ts'],
    why: "a key's choice of a model is its own"
  },
  {
    name: 'request-id-taken-as-it-is',
    file: 'lib/server/http/log.ts',
    find: '/^[A-Za-z0-9._-]{1,128}$/',
    replace: '/^[^]*$/',
    tests: [FAILURES],
    why: 'an id cannot break out of a header or a log line'
  },
  {
    name: 'bodies-without-a-limit',
    file: 'lib/server/jobs/held-bytes.ts',
    find: 'if (this.#bytes + bytes > this.#most) throw',
    replace: 'if (this.#bytes + bytes < 0) throw',
    tests: ['test/server/operations.test.ts'],
    why: 'memory for bodies is bounded'
  },
  {
    name: 'bodies-held-after-their-request',
    file: 'lib/server/jobs/held-bytes.ts',
    find: 'this.#held.add(this.#owner, -this.#bytes)',
    replace: '',
    tests: [robustness('overload')],
    why: 'a body is held for no longer than its request'
  },
  {
    name: 'queue-without-turns',
    file: 'lib/server/jobs/fair-queue.ts',
    find: 'this.#clock + item.cost)',
    replace: 'this.#clock)',
    tests: ['test/server/jobs/fair-queue.test.ts'],
    why: 'owners take turns'
  },
  {
    name: 'queue-last-come-first',
    file: 'lib/server/jobs/fair-queue.ts',
    find: 'waiting.priority >= later.priority',
    replace: 'waiting.priority > later.priority',
    tests: [robustness('queue-order')],
    why: 'jobs of one priority keep their order'
  },
  {
    name: 'results-without-a-limit',
    file: 'lib/server/jobs/shelf.ts',
    find: ' && this.#bytes <= this.#limits.maxKeptBytes',
    replace: '',
    tests: ['test/server/jobs/memory-store.test.ts'],
    why: 'the memory of kept results is bounded'
  },
  {
    name: 'warm-up-without-a-picture',
    file: 'lib/server/models/backend.ts',
    find: '  await pipeline.generate({\n',
    replace: '  void ({\n',
    tests: [robustness('readiness')],
    why: 'ready means that a picture has been made'
  },
  {
    name: 'client-gone-noticed-late',
    file: 'lib/server/http/reply-end.ts',
    find: "resolve(raw.writableFinished ? 'sent' : 'gone')",
    replace: "setTimeout(resolve, 400, raw.writableFinished ? 'sent' : 'gone')",
    tests: [robustness('disconnect')],
    why: 'work for a client that left stops at its next step'
  },
  {
    name: 'stall-seen-by-jobs-alone',
    file: 'lib/server/models/slot.ts',
    find: 'return this.#held?.stats?.() ?? NO_SILENCE',
    replace: 'return NO_SILENCE',
    tests: [robustness('stall')],
    why: 'an engine that works on what was given up can hang too'
  },
  {
    name: 'load-is-a-stall',
    file: 'lib/server/watchdog.ts',
    find: 'if (models.loading || ',
    replace: 'if (',
    tests: [WATCHDOG, robustness('stall')],
    why: 'a process that is restarted while it loads never has a model'
  },
  {
    name: 'hung-engine-unloaded',
    file: 'lib/server/models/slot.ts',
    find: 'if (this.silence().silentMs > 0) this.#unloadLater()',
    replace: 'if (this.silence().silentMs < 0) this.#unloadLater()',
    tests: ['test/server/models/slot.test.ts'],
    why: 'an engine is not idle while it has work that nobody waits for'
  },
  {
    name: 'stopped-process-taken-for-hung',
    file: 'lib/server/watchdog.ts',
    find: ' || episode.watchedMs < this.#stallMs - this.#tickMs',
    replace: '',
    tests: [WATCHDOG],
    why: 'a container that was paused is not ended when it goes on'
  },
  {
    name: 'exit-that-waits',
    file: 'lib/load/exit-now.ts',
    find: 'loadedAddon()?.exitNow(code)',
    replace: 'loadedAddon()',
    tests: ['test/cli/serve.test.ts'],
    built: true,
    why: 'a process whose engine hangs ends all the same'
  }
]
