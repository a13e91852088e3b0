import type { JobFilter } from '../../jobs/store.js'
import type { Limits } from '../../limits.js'
import type { Side } from '../blobs.js'
import {
  type Accepted,
  type Bounds,
  type Claim,
  type Claimed,
  type Counted,
  type Ending,
  type HookRoom,
  type NewJob,
  type QueueDatabase,
  type Report,
  type RunEnding,
  type Settled,
  type Told,
  type WaitingLane
} from '../queue-database.js'
import type { JobRecord } from '../record.js'
import { whole, type Asking } from './asking.js'
import { PostgresBoard } from './postgres-board.js'
import { PostgresParts } from './postgres-parts.js'
import { SCHEMA } from './prepare.js'
import { readRow, type JobRow } from './row.js'

/** A queue in PostgreSQL. Each step is one statement, and so one transaction. */
export class PostgresDatabase implements QueueDatabase {
  readonly board: PostgresBoard
  readonly parts: PostgresParts
  readonly #asking: Asking
  readonly #files: Asking

  /** @param files for those alone; can be the same */
  constructor(asking: Asking, files: Asking) {
    this.#asking = asking
    this.#files = files
    this.board = new PostgresBoard(asking)
    this.parts = new PostgresParts(files)
  }

  async ping(): Promise<void> {
    await this.#asking.ask('SELECT 1')
  }

  async once(name: 'urlSecret' | 'folder', value: string): Promise<string> {
    await this.#asking.ask(
      `INSERT INTO ${SCHEMA}.setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
      name,
      value
    )
    const [row] = await this.#asking.ask<{ value: string }>(`SELECT value FROM ${SCHEMA}.setting WHERE name = $1`, name)
    return row!.value
  }

  async turn(name: string, everyMs: number): Promise<boolean> {
    const rows = await this.#asking.ask(
      `INSERT INTO ${SCHEMA}.turn AS t (name, ends_at) VALUES ($1, ${SCHEMA}.now_ms() + $2)
        ON CONFLICT (name) DO UPDATE SET ends_at = EXCLUDED.ends_at WHERE t.ends_at <= ${SCHEMA}.now_ms() RETURNING 1`,
      ...[name, everyMs]
    )
    return rows.length === 1
  }

  async count(key: string, windowMs: number): Promise<Counted> {
    const [row] = await this.#asking.ask<Counted>(
      `INSERT INTO ${SCHEMA}.counted AS c (name, current, ends_at) VALUES ($1, 1, ${SCHEMA}.now_ms() + $2)
        ON CONFLICT (name) DO UPDATE SET
          current = CASE WHEN c.ends_at <= ${SCHEMA}.now_ms() THEN 1 ELSE c.current + 1 END,
          ends_at = CASE WHEN c.ends_at <= ${SCHEMA}.now_ms() THEN EXCLUDED.ends_at ELSE c.ends_at END
        RETURNING current, GREATEST(ends_at - ${SCHEMA}.now_ms(), 0)::integer AS ttl`,
      ...[key, windowMs]
    )
    return row!
  }

  async tell(name: Told, text: string): Promise<void> {
    await this.#asking.ask(`SELECT ${SCHEMA}.told($1, $2)`, name, text)
  }

  async accept(job: NewJob, bounds: Bounds): Promise<Accepted> {
    return this.#asking.call<Accepted>(
      'accept',
      ...[job.id, job.fixed, job.work, job.model, job.owner, job.priority, job.cost, job.images],
      ...[job.keep, whole(job.timeoutMs), whole(job.keptMs), job.inputBytes, job.fingerprint, job.late],
      ...[job.elsewhere, job.hookHost],
      ...[bounds.maxQueued, bounds.maxQueuedPerKey, bounds.maxHeldBytes, bounds.maxHeldBytesPerKey].map(whole)
    )
  }

  async fingerprintOf(id: string): Promise<string | undefined> {
    const [row] = await this.#asking.ask<{ fingerprint: string }>(
      `SELECT fingerprint FROM ${SCHEMA}.job WHERE id = $1 AND NOT again`,
      id
    )
    return row?.fingerprint
  }

  async record(id: string): Promise<JobRecord | undefined> {
    return (await this.#records('WHERE id = $1', id))[0]
  }

  async isGone(id: string): Promise<boolean> {
    return (await this.#asking.ask(`SELECT FROM ${SCHEMA}.gone WHERE id = $1`, id)).length === 1
  }

  async page({ owner, after, limit }: JobFilter): Promise<{ records: JobRecord[]; more: boolean } | 'expired' | undefined> {
    const [place] =
      after === undefined
        ? [{ listed: null }]
        : await this.#asking.ask<{ listed: string }>(
            `SELECT listed FROM ${SCHEMA}.job WHERE id = $1 AND keep AND ($2::text IS NULL OR owner = $2)`,
            ...[after, owner ?? null]
          )
    // From the beginning again, whoever goes from page to page would never come to an end.
    if (place === undefined) return (await this.isGone(after!)) ? 'expired' : undefined
    const records = await this.#records(
      `WHERE keep AND ($1::text IS NULL OR owner = $1) AND ($2::bigint IS NULL OR listed < $2) ORDER BY listed DESC LIMIT $3`,
      ...[owner ?? null, place.listed, limit + 1]
    )
    return { records: records.slice(0, limit), more: records.length > limit }
  }

  async waiting(owner: string): Promise<{ all: number; own: number }> {
    const [row] = await this.#asking.ask<{ all: number; own: number }>(
      `SELECT (SELECT count(*)::integer FROM ${SCHEMA}.job WHERE place IS NOT NULL) AS all,
        (SELECT count(*)::integer FROM ${SCHEMA}.job WHERE owner = $1 AND place IS NOT NULL) AS own`,
      owner
    )
    return row!
  }

  async stats() {
    type Stats = Awaited<ReturnType<QueueDatabase['stats']>>
    const from = `FROM ${SCHEMA}.job WHERE`
    const [row] = await this.#asking.ask<{ stats: Stats }>(
      `SELECT json_build_object(
        'queued', (SELECT count(*) ${from} place IS NOT NULL),
        'running', (SELECT count(*) ${from} state = 'running'),
        'runningImages', (SELECT COALESCE(sum(images), 0) ${from} state = 'running'),
        'kept', (SELECT count(*) ${from} keep AND ended_at IS NOT NULL),
        'keptBytes', (SELECT COALESCE(sum(bytes), 0) ${from} keep AND ended_at IS NOT NULL),
        'inputBytes', (SELECT COALESCE(sum(input_bytes), 0) ${from} input_bytes > 0),
        'deadLetters', (SELECT count(*) ${from} dead_at IS NOT NULL)) AS stats`
    )
    return row!.stats
  }

  async lanes(model: string, most: number): Promise<WaitingLane[]> {
    const rows = await this.#asking.ask<{ pass: number; items: WaitingLane['items'] }>(
      `SELECT pass, (SELECT json_agg(json_build_object('id', id, 'cost', cost) ORDER BY place) FROM (
          SELECT id, cost, place FROM ${SCHEMA}.job
            WHERE model = p.model AND owner = p.owner AND place IS NOT NULL ORDER BY place LIMIT $2) AS own) AS items
        FROM ${SCHEMA}.owner_pass p WHERE model = $1
          AND EXISTS (SELECT FROM ${SCHEMA}.job WHERE model = p.model AND owner = p.owner AND place IS NOT NULL)
        ORDER BY pass, owner COLLATE "C"`,
      ...[model, most]
    )
    return rows
  }

  async giveUp(id: string, { state, error, again }: Ending): Promise<void> {
    await this.#asking.call('finish', id, state, error, '', 0, again)
  }

  async claim({ model, ticket, worker, room, idle }: Claim): Promise<Claimed> {
    const claimed = await this.#asking.call<
      { verdict: 'nothing' | 'wait' } | { verdict: 'run'; run: string; work: string; job: JobRow }
    >('claim', ...[model, ticket, worker, room, idle])
    if (claimed.verdict !== 'run') return claimed.verdict
    return { run: claimed.run, record: readRow(claimed.job), work: claimed.work }
  }

  async report(id: string, run: string, { steps, messages }: Report): Promise<boolean> {
    const progress = Object.fromEntries(steps.map(({ image, ...each }) => [image, each]))
    return this.#asking.call<boolean>('report', id, Number(run), JSON.stringify(progress), JSON.stringify(messages))
  }

  async settle(id: string, run: string, { state, error, result, bytes, again, parts }: RunEnding): Promise<Settled> {
    return this.#asking.call<Settled>('settle', id, Number(run), state, error, result, bytes, again, parts)
  }

  async release(id: string, run: string): Promise<void> {
    await this.#asking.call('release', id, Number(run))
  }

  async handIn(ticket: string): Promise<void> {
    await this.#asking.ask(`UPDATE ${SCHEMA}.job SET ticket = NULL WHERE ticket = $1`, ticket)
  }

  async deadLetters(): Promise<JobRecord[]> {
    return this.#records('WHERE dead_at IS NOT NULL ORDER BY dead_at, id')
  }

  async sendAgain(id: string): Promise<string | undefined> {
    return (await this.#asking.call<string | null>('send_again', id)) ?? undefined
  }

  async sweep(kept: Pick<Limits, 'maxKeptJobs' | 'maxKeptBytes'> | undefined): Promise<Map<string, number>> {
    const [jobs, bytes] = kept === undefined ? [null, null] : [whole(kept.maxKeptJobs), whole(kept.maxKeptBytes)]
    return new Map(Object.entries(await this.#asking.call<Record<string, number>>('sweep', jobs, bytes)))
  }

  async leftOver(most: number, againMs: number): Promise<{ id: string; due: string }[]> {
    return this.#asking.ask<{ id: string; due: string }>(
      `UPDATE ${SCHEMA}.left_over SET due = ${SCHEMA}.now_ms() + $2 WHERE job = ANY (ARRAY(
          SELECT job FROM ${SCHEMA}.left_over WHERE due <= ${SCHEMA}.now_ms() ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED))
        RETURNING job AS id, due`,
      ...[most, againMs]
    )
  }

  async cleared(id: string, due: string): Promise<void> {
    await this.#asking.ask(`DELETE FROM ${SCHEMA}.left_over WHERE job = $1 AND due = $2`, id, due)
  }

  async wantedSides(id: string): Promise<ReadonlySet<Side>> {
    const [row] = await this.#asking.ask<{ work: boolean }>(
      `SELECT work IS NOT NULL AS work FROM ${SCHEMA}.job WHERE id = $1`,
      id
    )
    // Without its work it is over, and its inputs are of no use any more.
    return new Set<Side>(row === undefined ? [] : row.work ? ['in', 'out'] : ['out'])
  }

  async takeHooks({ leaseMs, most, mostOfHost, held }: HookRoom) {
    const { due, lost } = await this.#asking.call<{ due: { name: string; attempts: number; job: JobRow }[]; lost: string[] }>(
      'take_hooks',
      ...[leaseMs, most, mostOfHost, JSON.stringify(Object.fromEntries(held))]
    )
    return { due: due.map(({ name, attempts, job }) => ({ name, attempts, view: readRow(job).view })), lost }
  }

  async endHook(name: string, _host: string, attempt: number, pauseMs: number | undefined): Promise<void> {
    if (pauseMs === undefined) await this.#asking.ask(`DELETE FROM ${SCHEMA}.hook WHERE name = $1`, name)
    else
      await this.#asking.ask(
        `UPDATE ${SCHEMA}.hook SET due = ${SCHEMA}.now_ms() + $3 WHERE name = $1 AND attempts = $2`,
        ...[name, attempt, whole(pauseMs)]
      )
  }

  async close(): Promise<void> {
    await Promise.all([...new Set([this.#asking, this.#files])].map(each => each.close()))
  }

  async #records(where: string, ...values: unknown[]): Promise<JobRecord[]> {
    const rows = await this.#asking.ask<{ record: JobRow }>(
      `SELECT ${SCHEMA}.record_of(job) AS record FROM ${SCHEMA}.job ${where}`,
      ...values
    )
    return rows.map(({ record }) => readRow(record))
  }
}
