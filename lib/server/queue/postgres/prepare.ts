import type * as bullmq from 'bullmq'
import type { PoolClient } from 'pg'
import { WuerstchenError } from '../../../errors.js'
import { workersEnded } from '../../jobs/failure.js'
import { MOST_ENDED } from '../queue-database.js'
import { accept } from './sql/accept.js'
import { claim } from './sql/claim.js'
import { ended } from './sql/ended.js'
import { hooks } from './sql/hooks.js'
import { runs } from './sql/run.js'
import { shared } from './sql/shared.js'
import { sweep } from './sql/sweep.js'
import { tables } from './sql/tables.js'

/** Of our tables and functions, and of BullMQ's. They have names in common. */
export const SCHEMA = 'wuerstchen'
export const TICKET_SCHEMA = 'wuerstchen_tickets'

/** What a queue of each version has more than the one before. It only grows: databases of earlier versions are out there. */
const VERSIONS = [tables + shared + ended(JSON.stringify(workersEnded(MOST_ENDED).error)) + accept + claim + runs + hooks + sweep]

/** The state `insufficient_privilege`. */
const NO_RIGHT = '42501'

/** PostgreSQL 14, as it counts its versions. */
const LEAST = 140_000

type Tickets = Pick<
  typeof bullmq,
  'assertSchemaCompatibility' | 'LATEST_SCHEMA_VERSION' | 'runMigrations' | 'SchemaMigrationRequiredError'
>

/**
 * Makes the schemas of a queue, or brings them up to date. Whoever comes meanwhile waits.
 * @throws WuerstchenError INVALID_ARGUMENT where the database, or what it has, is of a version that this package does not know,
 * or the role has no right to make it
 */
export async function prepareSchemas(client: PoolClient, tickets: Tickets): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string }>(
    `SELECT current_setting('server_version_num')::integer AS version, current_setting('server_encoding') AS encoding`
  )
  const { version, encoding } = rows[0]!
  if (version < LEAST) throw unusable('PostgreSQL 14 or later', `version ${Math.floor(version / 10_000)}`)
  // Prompts are in any script.
  if (encoding !== 'UTF8') throw unusable('a database with the encoding UTF8', encoding)
  // Where there is nothing to do, no right to make anything is needed.
  try {
    if ((await versionOf(client)) < VERSIONS.length) await upgrade(client)
    if ((await ticketVersionOf(client, tickets)) < tickets.LATEST_SCHEMA_VERSION)
      await tickets.runMigrations(client, TICKET_SCHEMA)
  } catch (error) {
    if ((error as { code?: unknown }).code !== NO_RIGHT) throw error
    const message = 'Expected a role with the right CREATE on the database for queue, which has to be made, but it has none'
    throw new WuerstchenError('INVALID_ARGUMENT', message, { subject: 'queue', cause: error })
  }
}

async function ticketVersionOf(client: PoolClient, tickets: Tickets): Promise<number> {
  try {
    return await tickets.assertSchemaCompatibility(client, TICKET_SCHEMA)
  } catch (error) {
    if (error instanceof tickets.SchemaMigrationRequiredError) return 0
    throw error
  }
}

/** Whoever fails ends the connection, which undoes it all. */
async function upgrade(client: PoolClient): Promise<void> {
  await client.query('BEGIN')
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('wuerstchen'), 0)`)
  const version = await versionOf(client)
  if (version === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`)
  await client.query(`SET LOCAL search_path TO ${SCHEMA}`)
  if (version === 0) await client.query('CREATE TABLE version (number integer PRIMARY KEY)')
  for (const [index, sql] of [...VERSIONS.entries()].slice(version)) {
    await client.query(withPath(sql))
    await client.query('INSERT INTO version (number) VALUES ($1)', [index + 1])
  }
  await client.query('COMMIT')
}

/** Functions find our tables whatever the path of whoever calls them is. Those in SQL are part of the statements they are in. */
function withPath(sql: string): string {
  return sql.replaceAll(/LANGUAGE (plpgsql|sql)\b/g, `LANGUAGE $1 SET search_path FROM CURRENT`)
}

async function versionOf(client: PoolClient): Promise<number> {
  const { rows: there } = await client.query<{ there: boolean }>(`SELECT to_regclass('${SCHEMA}.version') IS NOT NULL AS there`)
  if (!there[0]!.there) return 0
  const { rows } = await client.query<{ version: number }>(`SELECT max(number) AS version FROM ${SCHEMA}.version`)
  const { version } = rows[0]!
  if (version > VERSIONS.length) throw unusable(`a queue of version ${VERSIONS.length} or earlier`, `version ${version}`)
  return version
}

function unusable(expected: string, received: string): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', `Expected ${expected} for queue but received ${received}`, {
    subject: 'queue'
  })
}
