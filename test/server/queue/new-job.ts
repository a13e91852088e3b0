import type { NewJob } from '../../../lib/server/queue/queue-database.js'

/** A job as a server hands it to the database. */
export function newJob(id: string, more: Partial<NewJob> = {}): NewJob {
  const { owner = 'ann', priority = 0, images = 1, keep = true } = more
  return {
    ...{ id, work: '{"kind":"generate"}', model: 'm', owner, priority, cost: 1, images, keep, timeoutMs: 60_000, keptMs: 60_000 },
    ...{ inputBytes: 10, fingerprint: '', late: '{"code":"TIMEOUT"}', elsewhere: false, hookHost: '' },
    fixed: JSON.stringify({ id, owner, model: 'm', kind: 'generate', priority, images, expires: keep }),
    ...more
  }
}
