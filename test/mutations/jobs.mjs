/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const MEMORY = ['test/server/jobs/memory-store.test.ts']
const REMOTE = ['test/server/jobs/remote-store.test.ts']
const HELD = ['test/server/jobs/held-bytes.test.ts']
const ADMISSION = ['test/server/http/admission.test.ts']
const FAILURES = ['test/server/http/failures.test.ts']

/**
 * The server's jobs, refusals and ledger.
 * @type {readonly Mutation[]}
 */
export const JOBS = [
  {
    name: 'refusal-over-share',
    file: 'lib/server/api/statuses.ts',
    find: "maxQueuedPerKey: { status: 429, code: 'queue_share_full'",
    replace: "maxQueuedPerKey: { status: 503, code: 'queue_full'",
    tests: ADMISSION,
    why: 'a key over its share would be told that the server is full'
  },
  {
    name: 'refusal-shutdown',
    file: 'lib/server/jobs/failure.ts',
    find: "factsOf(refused('shutdown'))",
    replace: "factsOf(refused('maxQueued'))",
    tests: ADMISSION,
    why: 'a server that ends would say that it is full'
  },
  {
    name: 'field-of-count',
    file: 'lib/server/api/statuses.ts',
    find: "  numImagesPerPrompt: 'n',\n",
    replace: '',
    tests: FAILURES,
    why: 'an error would name a field that requests do not have'
  },
  {
    name: 'field-spelling',
    file: 'lib/server/api/statuses.ts',
    find: 'SPELT[name] ?? fieldName(name)',
    replace: 'name',
    tests: FAILURES,
    why: 'an error would name a field as the library spells it'
  },
  {
    name: 'timeout-is-a-failure',
    file: 'lib/server/jobs/failure.ts',
    find: "{ state: 'failed', error: { code: 'TIMEOUT'",
    replace: "{ state: 'cancelled', error: { code: 'TIMEOUT'",
    tests: MEMORY,
    why: 'a job that ran out of time would look as if somebody had cancelled it'
  },
  {
    name: 'facts-are-plain',
    file: 'lib/server/jobs/failure.ts',
    find: 'return { code, message, subject }',
    replace: 'return { code, message, subject, error: () => error } as JobError',
    tests: REMOTE,
    why: 'a store in another process could not send the error'
  },
  {
    name: 'share-of-a-key',
    file: 'lib/server/jobs/memory-store.ts',
    find: "? 'maxQueuedPerKey' : undefined",
    replace: "? 'maxQueued' : undefined",
    tests: MEMORY,
    why: 'the limit that was reached would be named wrongly'
  },
  {
    name: 'first-reason-counts',
    file: 'lib/server/jobs/memory-store.ts',
    find: 'const last = job.givenUp ?? outcome',
    replace: 'const last = outcome',
    tests: MEMORY,
    why: 'a cancelled job would end as the failure that its cancelling caused'
  },
  {
    name: 'lost-worker',
    file: 'lib/server/jobs/memory-store.ts',
    find: '    for (const job of worker.jobs) this.#end(job, workerLost())\n',
    replace: '',
    tests: MEMORY,
    why: 'jobs of a worker that is gone would run for ever'
  },
  {
    name: 'inputs-end-with-the-job',
    file: 'lib/server/jobs/job.ts',
    find: '    this.#work = undefined\n',
    replace: '',
    tests: MEMORY,
    why: 'a finished job would hold what was sent to it for an hour'
  },
  {
    name: 'events-after-enough',
    file: 'lib/server/jobs/feed.ts',
    find: '    if (this.#closed) return\n    const stale',
    replace: '    const stale',
    tests: MEMORY,
    why: 'a listener that has left would be told more, and its images would be held'
  },
  {
    name: 'kept-jobs-bound',
    file: 'lib/server/jobs/shelf.ts',
    find: 'this.#jobs.size <= this.#limits.maxKeptJobs && ',
    replace: '',
    tests: MEMORY,
    why: 'small jobs without number would be kept'
  },
  {
    name: 'held-once',
    file: 'lib/server/jobs/held-bytes.ts',
    find: 'this.#held.count(this.#owner, bytes, until)\n    this.#release()',
    replace: 'this.#held.count(this.#owner, bytes, until)',
    tests: HELD,
    why: 'a body and the job that was made of it would be counted twice'
  },
  {
    name: 'held-until-the-end',
    file: 'lib/server/jobs/held-bytes.ts',
    find: 'this.add(owner, bytes)\n    void until.then(release, release)',
    replace: 'this.add(owner, bytes)\n    void until.then(release, () => {})',
    tests: HELD,
    why: 'what a failed request held would be counted for ever'
  },
  {
    name: 'client-gone',
    file: 'lib/server/http/reply-end.ts',
    find: "resolve(raw.writableFinished ? 'sent' : 'gone')",
    replace: "resolve('sent')",
    tests: ADMISSION,
    why: 'work would go on for a client that has left'
  },
  {
    name: 'openapi-descriptions',
    file: 'lib/server/http/openapi.ts',
    find: 'description: ERRORS[status],',
    replace: '...(status === 406 ? {} : { description: ERRORS[status] }),',
    tests: ['test/server/http/openapi.test.ts'],
    why: 'the document would be no valid OpenAPI'
  },
  {
    name: 'gauges',
    file: 'lib/server/observe/metrics.ts',
    find: "'Jobs that wait', 'queued'",
    replace: "'Jobs that wait', 'running'",
    tests: REMOTE,
    why: 'the depth of the queue would be that of something else'
  },
  {
    name: 'documented-flags',
    file: 'lib/cli/embeddings-output.ts',
    find: "'--half'",
    replace: "'--halved'",
    tests: ['test/cli/docs.test.ts'],
    why: 'the documentation would name a flag that there is not'
  },
  {
    name: 'scalars-checked',
    file: 'lib/options/scalars.ts',
    find: 'present.map(name => [name, expectScalar(name, given[name])])',
    replace: 'present.map(name => [name, given[name]])',
    tests: ['test/options/sampling.test.ts'],
    why: 'any value at all would reach the engine'
  }
]
