import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import { outageOf } from '../../../lib/server/queue/reach.js'
import { json } from '../fake-backend.js'
import {
  describeOnQueues,
  describeWithPostgres,
  describeWithRedis,
  lookInside,
  type Inside,
  type PostgresServer
} from '../../support/queues.js'
import { eventually, Fleet } from './fleet.js'

const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })

describe('what is an outage of the queue', () => {
  // The texts are those of Redis 6.2 and 7.0.
  test.each([
    ['OOM', "OOM command not allowed when used memory > 'maxmemory'."],
    ['OOM', "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:1."],
    [
      'OOM',
      'ERR Error running script (call to f_1f): @user_script:9: @user_script: 9: -OOM command not allowed when used memory'
    ],
    ['MISCONF', 'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.'],
    [
      'MISCONF',
      'ERR Error running script (call to f_1f): @user_script:9: @user_script: 9: -MISCONF Errors writing to the AOF file'
    ],
    ['READONLY', "READONLY You can't write against a read only replica."],
    ['LOADING', 'LOADING Redis is loading the dataset in memory'],
    ['BUSY', 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.'],
    ['NOSCRIPT', 'NOSCRIPT No matching script. Please use EVAL.'],
    ['CLUSTERDOWN', 'CLUSTERDOWN The cluster is down'],
    ['MASTERDOWN', "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."],
    ['NOAUTH', 'NOAUTH Authentication required.'],
    ['WRONGPASS', 'WRONGPASS invalid username-password pair or user is disabled.'],
    ['ERR', 'ERR max number of clients reached'],
    [undefined, 'ERR unknown command'],
    [undefined, 'ERR Error running script (call to f_1f): @user_script:9: attempt to index a nil value'],
    [undefined, 'WRONGTYPE Operation against a key holding the wrong kind of value']
  ])('a reply: %s', (word, message) => expect(outageOf(reply(message))).toBe(word))

  // The codes of PostgreSQL's manual, appendix A.
  test.each([
    ['08006', 'connection_failure'],
    ['25006', 'read_only_sql_transaction'],
    ['28P01', 'invalid_password'],
    ['28000', 'invalid_authorization_specification'],
    ['40001', 'serialization_failure'],
    ['40P01', 'deadlock_detected'],
    ['42501', 'insufficient_privilege'],
    ['53100', 'disk_full'],
    ['53200', 'out_of_memory'],
    ['53300', 'too_many_connections'],
    ['57014', 'query_canceled'],
    ['57P01', 'admin_shutdown'],
    ['57P02', 'crash_shutdown'],
    ['57P03', 'cannot_connect_now'],
    ['58030', 'io_error'],
    [undefined, 'unique_violation', '23505'],
    [undefined, 'undefined_function', '42883'],
    [undefined, 'raise_exception', 'P0001'],
    [undefined, 'data_corrupted', 'XX001']
  ])('an answer of PostgreSQL: %s, %s', (word, message, code = word) =>
    expect(outageOf(Object.assign(new Error(message), { name: 'error', severity: 'ERROR', code }))).toBe(word)
  )

  test.each([
    ['ECONNREFUSED', Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' })],
    ['no answer', new Error('Connection is closed.')],
    [undefined, Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write', path: '/results' })],
    [undefined, new WuerstchenError('NOT_FINITE', 'x', { subject: 'prior' })],
    ['no answer', new Error('Query read timeout')],
    // BullMQ says of a ticket that somebody else has it.
    [undefined, Object.assign(new Error('Lock mismatch for job 1'), { code: -6 })],
    [undefined, new TypeError('x')]
  ])('another error: %s', (word, error) => expect(outageOf(error)).toBe(word))
})

const REQUEST = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
const submit = async (server: FastifyInstance) => {
  const { statusCode, json: read } = await server.inject({ url: '/v1/jobs', ...REQUEST })
  expect(statusCode).toBe(202)
  return (read() as { id: string }).id
}
const statusOf = async (server: FastifyInstance, id: string) =>
  ((await server.inject({ url: `/v1/jobs/${id}` })).json() as { status?: string }).status

/** A worker makes an image while the queue is away, and has it seen when that is back. */
async function outlast(fleet: Fleet, reason: RegExp, begin: () => Promise<unknown>, end: () => Promise<unknown>): Promise<void> {
  const lines: { msg: string; reason?: string }[] = []
  const stream = { write: (line: string) => lines.push(JSON.parse(line) as { msg: string }) }
  const { backend } = await fleet.worker({}, { level: 'info', stream })
  const server = await fleet.server()
  const id = await submit(server)
  await eventually(() => backend.runs.length === 1)
  await begin()
  backend.runs[0]!.finish()
  const said = () => lines.filter(({ msg }) => msg.startsWith('the queue is away'))
  await eventually(() => said().length === 1)
  // Several tries later.
  await new Promise(resolve => setTimeout(resolve, 500))
  await end()
  await eventually(async () => (await statusOf(server, id)) === 'succeeded')
  expect(said()).toMatchObject([{ reason: expect.stringMatching(reason) }])
  // The database has the end before its worker has the answer.
  const back = () => lines.filter(({ msg }) => msg === 'the queue is back').length
  await eventually(() => back() > 0)
  expect(back()).toBe(1)
  expect(lines.filter(({ msg }) => msg === 'work failed')).toEqual([])
}

describeWithRedis('while Redis cannot do its work', () => {
  let fleet: Fleet
  let redis: Redis
  beforeEach(async () => {
    fleet = await Fleet.start('redis')
    redis = new Redis(fleet.queue.url)
  })
  afterEach(async () => {
    redis.disconnect()
    await fleet.end()
  })
  const set = async (name: string, value: string) => redis.config('SET', name, value)

  /** How it begins and ends, by what Redis answers then. */
  const OUTAGES: Record<string, [begin: () => Promise<unknown>, end: () => Promise<unknown>]> = {
    OOM: [() => set('maxmemory', '1'), () => set('maxmemory', '0')],
    NOREPLICAS: [() => set('min-replicas-to-write', '1'), () => set('min-replicas-to-write', '0')],
    READONLY: [() => redis.replicaof('127.0.0.1', 1), () => redis.replicaof('NO', 'ONE')],
    MASTERDOWN: [
      async () => {
        await set('replica-serve-stale-data', 'no')
        await redis.replicaof('127.0.0.1', 1)
      },
      () => redis.replicaof('NO', 'ONE')
    ],
    NOPERM: [() => redis.acl('SETUSER', 'default', '-@scripting'), () => redis.acl('SETUSER', 'default', '+@all')],
    BUSY: [
      async () => {
        await set('busy-reply-threshold', '1')
        const busy = redis.duplicate()
        busy.eval('while true do end', 0).catch(() => busy.disconnect())
        await eventually(() =>
          redis.get('x').then(
            () => false,
            () => true
          )
        )
      },
      () => redis.script('KILL')
    ]
  }

  test.each(Object.keys(OUTAGES))('what a worker has made is kept, and its log says it once: %s', async word => {
    await outlast(fleet, new RegExp(`^${word}$`), ...OUTAGES[word]!)
  })

  test('what needs memory is done as a whole or not at all', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const server = await fleet.server()
    const running = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const [first, second] = [await submit(server), await submit(server)]
    await set('maxmemory', '1')
    const refused = await server.inject({ method: 'DELETE', url: `/v1/jobs/${second}` })
    expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'queue_unreachable'])
    await set('maxmemory', '0')
    backend.automatic = true
    backend.runs[0]!.finish()
    for (const id of [running, first, second]) await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(await server.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, running: 0, inputBytes: 0 })
  })
})

describeWithPostgres('while PostgreSQL cannot do its work', () => {
  let fleet: Fleet
  let ask: (text: string) => Promise<unknown>
  beforeEach(async () => {
    fleet = await Fleet.start('postgres')
    ask = async text => {
      for (;;) {
        try {
          return await (fleet.queue as PostgresServer).query(text)
        } catch (error) {
          // Of two who wait for each other it can be the one that is told to ask again.
          if ((error as { code?: string }).code !== '40P01') throw error
        }
      }
    }
  })
  afterEach(() => fleet.end())

  const set = async (name: string, value: string) => {
    await ask(`ALTER SYSTEM SET ${name} = ${value}`)
    await ask('SELECT pg_reload_conf()')
  }
  const cut = () => ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wuerstchen'")
  /** Each change of a job fails like that, as it does for a reason that a test cannot have. */
  const fail = async (code: string) => {
    await ask(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'as if' USING ERRCODE = '${code}'; END $$`)
    await ask('CREATE TRIGGER fail BEFORE UPDATE ON wuerstchen.job EXECUTE FUNCTION fail()')
  }
  const mend = () => ask('DROP FUNCTION fail CASCADE')

  /** Whichever connection sees first that it was cut. */
  const CUT = /^(no connection|57P01|53300|28000|no answer|E[A-Z]+)$/

  /** How it begins and ends, and what PostgreSQL answers then. */
  const OUTAGES: Record<string, [reason: RegExp, begin: () => Promise<unknown>, end: () => Promise<unknown>]> = {
    'read only': [/^25006$/, () => set('default_transaction_read_only', 'on'), () => set('default_transaction_read_only', 'off')],
    'no rights': [
      /^42501$/,
      () => ask('ALTER SCHEMA wuerstchen OWNER TO postgres'),
      () => ask('ALTER SCHEMA wuerstchen OWNER TO wuerstchen')
    ],
    'too many connections': [
      CUT,
      async () => {
        await ask('ALTER ROLE wuerstchen CONNECTION LIMIT 0')
        await cut()
      },
      () => ask('ALTER ROLE wuerstchen CONNECTION LIMIT -1')
    ],
    'another password': [
      CUT,
      async () => {
        await ask('ALTER ROLE wuerstchen NOLOGIN')
        await cut()
      },
      () => ask('ALTER ROLE wuerstchen LOGIN')
    ],
    'no room on the disk': [/^53100$/, () => fail('53100'), mend],
    'a deadlock each time': [/^40P01$/, () => fail('40P01'), mend],
    'what asks to try again each time': [/^40001$/, () => fail('40001'), mend],
    gone: [CUT, () => fleet.queue.kill(), () => fleet.queue.start()]
  }

  test.each(Object.keys(OUTAGES))('what a worker has made is kept, and its log says it once: %s', async name => {
    await outlast(fleet, ...OUTAGES[name]!)
  })
})

describeOnQueues('a job that loses its ticket', kind => {
  let fleet: Fleet
  let inside: Inside
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
    inside = lookInside(kind, fleet.queue.url)
  })
  afterEach(async () => {
    await inside.end()
    await fleet.end()
  })

  test('again and again, with workers that are there, is done', async () => {
    const workers = [
      await fleet.worker({ limits: { maxRunningImages: 1 } }),
      await fleet.worker({ limits: { maxRunningImages: 1 } })
    ]
    const runs = () => workers.flatMap(({ backend }) => backend.runs)
    const server = await fleet.server()
    const id = await submit(server)
    for (let times = 1; times <= 4; times++) {
      await eventually(() => runs().length >= times)
      await inside.cutLocks()
    }
    await eventually(() => runs().length >= 5)
    for (const { backend } of workers) {
      backend.automatic = true
      for (const run of backend.runs) run.finish()
    }
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
  })

  test('and is done before another worker begins has its result', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const server = await fleet.server()
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    await inside.cutLocks()
    const waiting = async () => (await inside.freeTickets()) === 1
    // A full worker leaves the ticket to others.
    await eventually(waiting)
    backend.runs[0]!.finish()
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(backend.runs).toHaveLength(1)
  })
})
