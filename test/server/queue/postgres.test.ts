import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { openQueue } from '../../../lib/server/queue/queue.js'
import { describeWithPostgres, PostgresServer } from '../../support/queues.js'
import { newJob } from './new-job.js'
import { root } from '../../support/small-model.js'

describeWithPostgres('a queue in PostgreSQL', () => {
  let server: PostgresServer
  beforeEach(async () => {
    server = await PostgresServer.start()
  })
  afterEach(() => server.stop())
  const open = () => openQueue(queueAddress(server.url), 'queue', 'patient')

  test('is made once by all who come at once, and by one who may make schemas and nothing else', async () => {
    const queues = await Promise.all(Array.from({ length: 6 }, open))
    expect(await server.query('SELECT number FROM wuerstchen.version')).toEqual([{ number: 1 }])
    const owners = await server.query(
      "SELECT DISTINCT tableowner, rolsuper FROM pg_tables JOIN pg_roles ON rolname = tableowner WHERE schemaname ~ '^wuerstchen'"
    )
    expect(owners).toEqual([{ tableowner: 'wuerstchen', rolsuper: false }])
    for (const queue of queues) await queue.close()
    // Nothing has to be made any more.
    await server.query('REVOKE CREATE ON DATABASE postgres FROM wuerstchen')
    await (await open()).close()
  })

  test('is not made by one who may not, who hears what is missing', async () => {
    await server.query('REVOKE CREATE ON DATABASE postgres FROM wuerstchen')
    await expect(open()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'queue' })
  })

  test('that a later version of the package has made is left alone', async () => {
    await (await open()).close()
    await server.query('INSERT INTO wuerstchen.version (number) VALUES (99)')
    await expect(open()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'queue',
      message: expect.stringContaining('99')
    })
  })

  test('is in a database that can write any script', async () => {
    await server.query("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    const address = new URL(server.url)
    address.pathname = '/latin'
    await expect(openQueue(queueAddress(address.href), 'queue', 'patient')).rejects.toMatchObject({
      ...{ code: 'INVALID_ARGUMENT', subject: 'queue' },
      message: 'Expected a database with the encoding UTF8 for queue but received LATIN1'
    })
  })

  test('is made in the time that it takes, also by a server that waits for nothing', async () => {
    await server.query(`CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); END $$`)
    await server.query('CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION slow()')
    const began = performance.now()
    const queue = await openQueue(queueAddress(server.url), 'queue', 'prompt')
    expect(performance.now() - began).toBeGreaterThan(1800)
    await queue.close()
  })

  test('forgets in parts what takes longer than a server waits for', async () => {
    // Each file takes as long to delete as many large ones.
    const queue = await openQueue(queueAddress(server.url), 'queue', 'prompt')
    await server.query(`CREATE FUNCTION wuerstchen.slow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.15); RETURN OLD; END $$`)
    await server.query('CREATE TRIGGER slow BEFORE DELETE ON wuerstchen.part FOR EACH ROW EXECUTE FUNCTION wuerstchen.slow()')
    await server.query(`INSERT INTO wuerstchen.part (job, side, name, bytes, ends_at)
      SELECT 'a', 'in', n::text, 'x', 0 FROM generate_series(1, 12) AS n`)
    const left = async () => ((await server.query('SELECT count(*)::integer AS n FROM wuerstchen.part')) as [{ n: number }])[0].n
    for (let looks = 0; (await left()) > 0; looks++) {
      expect(looks).toBeLessThan(12)
      await queue.database.sweep(undefined)
    }
    await queue.close()
  })

  test('is for workers whose clock is right', async () => {
    const queue = await open()
    const now = Date.now
    const ahead = vi.spyOn(Date, 'now').mockImplementation(() => now() + 6000)
    await expect(queue.expectClock()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'queue' })
    ahead.mockImplementation(() => now() - 4000)
    await queue.expectClock()
    vi.restoreAllMocks()
    await queue.close()
  })

  test('sees what others have written, whatever the database does by default', async () => {
    await server.query("ALTER DATABASE postgres SET default_transaction_isolation TO 'serializable'")
    const queue = await open()
    const counted = await Promise.all(Array.from({ length: 30 }, () => queue.database.count('x', 60_000)))
    expect(counted.map(({ current }) => current).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1)
    )
    await queue.close()
  })

  test('has nothing left when all of it has come to its end', async () => {
    const queue = await open()
    const { database } = queue
    await database.board.announce('w', '{}', [{ name: 'm', text: '{}' }])
    await database.count('x', 1)
    await database.parts.put('orphan', 'in', new Map([['i', Buffer.from('x')]]), 1)
    await database.accept(newJob('a', { keep: false, timeoutMs: 1, keptMs: 1, inputBytes: 0, elsewhere: true, hookHost: 'h' }), {
      maxQueued: 9,
      maxQueuedPerKey: 9,
      maxHeldBytes: 9,
      maxHeldBytesPerKey: 9
    })
    await database.claim({ model: 'm', ticket: 't', worker: 'w', room: 1, idle: true })
    await new Promise(resolve => setTimeout(resolve, 20))
    await database.sweep(undefined)
    // Time goes on. What the first look has left for others to delete is given up by the second one.
    for (const days of [9, 18]) {
      await server.query(`CREATE OR REPLACE FUNCTION wuerstchen.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
        $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + ${days} * 86400000 $$`)
      await database.sweep(undefined)
    }
    const tables = await server.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'wuerstchen'")
    const left: Record<string, number> = {}
    for (const { name } of tables as { name: string }[]) {
      const [{ count }] = (await server.query(`SELECT count(*)::integer AS count FROM wuerstchen.${name}`)) as [{ count: number }]
      if (count > 0) left[name] = count
    }
    expect(left).toEqual({ version: 1, up: 1 })
    await queue.close()
  })

  test('does without Redis and its driver', () => {
    const hooks = `export async function resolve(name, context, next) {
      if (name.startsWith('ioredis')) throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(name, context)
    }`
    const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`
    const without = asModule(`import { register } from 'node:module'; register(${JSON.stringify(asModule(hooks))})`)
    const args = ['--import', without, join(root, 'dist', 'cli', 'main.js'), 'worker', '--dead-letters']
    const env = { ...process.env, WUERSTCHEN_QUEUE_URL: server.url }
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env })
    expect([status, stdout, stderr]).toEqual([0, '', ''])
  })
})
