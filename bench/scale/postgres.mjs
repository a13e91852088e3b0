import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { freePort } from './redis.mjs'

/** @import { Failure } from './queues.mjs' */

/**
 * @typedef {object} PostgresOptions
 * @property {string} [password]
 * @property {Readonly<Record<string, string>>} [settings]
 * @property {{ cert: string, key: string }} [tls] files in PEM; then nobody connects without
 */

/** Who owns all, and whom servers and workers are: one who may make schemas, and nothing else. */
const ADMINISTRATOR = 'postgres'
const USER = 'wuerstchen'
const DATABASE = 'postgres'

/** @returns {string | undefined} the folder of PostgreSQL's programs: Debian has them on nobody's PATH */
export function findPostgres() {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...versions.map(version => join(debian, version, 'bin'))]
  return folders.find(folder => ['initdb', 'postgres'].every(program => existsSync(join(folder, program))))
}

/** A PostgreSQL of one's own: a port and a folder that nobody else has. It can be killed and started with what it has written. */
export class PostgresServer {
  /** @type {number} */
  port
  #folder = mkdtempSync(join(tmpdir(), 'wuerstchen-postgres-'))
  #programs
  #owner = ownerOf()
  #options
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child

  /** @param {string} programs @param {number} port @param {PostgresOptions} options */
  constructor(programs, port, options) {
    this.#programs = programs
    this.port = port
    this.#options = options
  }

  /** @param {PostgresOptions} [options] */
  static async start(options = {}) {
    const programs = findPostgres()
    if (programs === undefined) throw new Error('There is no PostgreSQL')
    const server = new PostgresServer(programs, await freePort(), options)
    server.#create()
    await server.start()
    const secret = options.password === undefined ? '' : `PASSWORD ${pg.escapeLiteral(options.password)}`
    await server.query(`CREATE ROLE ${USER} LOGIN ${secret}; GRANT CREATE ON DATABASE ${DATABASE} TO ${USER}`)
    return server
  }

  get url() {
    const { password, tls } = this.#options
    const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
    return `postgres://${USER}${secret}@127.0.0.1:${this.port}/${DATABASE}${tls === undefined ? '' : '?sslmode=verify-full'}`
  }

  async start() {
    const { settings = {}, tls } = this.#options
    const all = {
      ...{ port: String(this.port), listen_addresses: '127.0.0.1', unix_socket_directories: '', shared_buffers: '16MB' },
      // What is killed here are processes, and not the machine.
      ...{ fsync: 'off' },
      ...(tls === undefined ? {} : { ssl: 'on', ssl_cert_file: tls.cert, ssl_key_file: tls.key }),
      ...settings
    }
    const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    for (;;) {
      const child = spawn(join(this.#programs, 'postgres'), ['-D', this.#data, ...args], { stdio: 'ignore', ...this.#owner })
      this.#child = child
      while (child.exitCode === null && child.signalCode === null) {
        if (await this.#answers()) return
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      // Processes of the one that was killed are still there. It starts when they have seen that it is gone.
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** As SIGKILL ends it: nobody is told. */
  async kill() {
    await this.#end('SIGKILL')
  }

  async stop() {
    await this.#end('SIGQUIT')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  /**
   * Asks as its administrator.
   * @param {string} text @param {unknown[]} [values] @returns {Promise<any[]>}
   */
  async query(text, values) {
    const client = new pg.Client(this.#client)
    client.on('error', () => {})
    try {
      await client.connect()
      return (await client.query(text, values)).rows
    } finally {
      void client.end().catch(() => {})
    }
  }

  /** Why jobs have failed, and the workers that it says. @returns {Promise<Failure[]>} */
  async failures() {
    return this.query(`SELECT fixed::json->'idempotency'->>'key' AS key, error::json->>'message' AS message,
        ARRAY(SELECT worker FROM wuerstchen.missed WHERE job = id) AS workers
      FROM wuerstchen.job WHERE state = 'failed'`)
  }

  /** What is known of jobs that are not over. @returns {Promise<string[]>} */
  async unfinished() {
    const jobs = await this.query(`SELECT id, state, run, ran_by, created_at, owner, place, ticket, held_at FROM wuerstchen.job
      WHERE ended_at IS NULL`)
    const tickets = await this.query(`SELECT id, state, lock_token, locked_until_ms FROM wuerstchen_tickets.job`)
    return [...jobs, ...tickets].map(row => JSON.stringify(row))
  }

  get #data() {
    return join(this.#folder, 'data')
  }

  get #client() {
    const { password } = this.#options
    const ssl = this.#options.tls === undefined ? false : { rejectUnauthorized: false }
    return {
      host: '127.0.0.1',
      port: this.port,
      user: ADMINISTRATOR,
      database: DATABASE,
      ssl,
      ...(password === undefined ? {} : { password })
    }
  }

  #create() {
    const { password, tls } = this.#options
    const { uid, gid } = this.#owner
    const auth = password === undefined ? 'trust' : 'scram-sha-256'
    const how = `--username ${ADMINISTRATOR} --auth ${auth} --no-sync --encoding UTF8 --locale C`.split(' ')
    const args = ['--pgdata', this.#data, ...how]
    const own = [this.#folder, ...(tls === undefined ? [] : [tls.cert, tls.key])]
    const file = join(this.#folder, 'password')
    if (password !== undefined) {
      writeFileSync(file, password, { mode: 0o600 })
      own.push(file)
      args.push('--pwfile', file)
    }
    if (uid !== undefined && gid !== undefined) for (const each of own) chownSync(each, uid, gid)
    execFileSync(join(this.#programs, 'initdb'), args, { stdio: 'ignore', cwd: this.#folder, ...this.#owner })
  }

  /** It listens some time before it does. */
  async #answers() {
    try {
      await this.query('SELECT 1')
      return true
    } catch (error) {
      // It is there, and has its reasons.
      return !['ECONNREFUSED', '57P03', undefined].includes(/** @type {{ code?: string }} */ (error).code)
    }
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

/** PostgreSQL does not run as root. @returns {{ uid?: number, gid?: number }} */
function ownerOf() {
  if (process.getuid?.() !== 0) return {}
  const number = (/** @type {string} */ flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: number('-u'), gid: number('-g') }
}
