import type { JobStore, JobView, Submitted } from '../jobs/store.js'

/** webui has one user, whose model and whose work it knows. Here each API key has its own. */
export class Desk {
  readonly #jobs: JobStore
  readonly #models = new Map<string, string>()
  readonly #working = new Map<string, Set<string>>()

  constructor(jobs: JobStore) {
    this.#jobs = jobs
  }

  /** The model that somebody chose, for requests that name none. */
  modelOf(owner: string): string | undefined {
    return this.#models.get(owner)
  }

  choose(owner: string, model: string): void {
    this.#models.set(owner, model)
  }

  /** Knows of a job until it is over. */
  follow(owner: string, { view: { id }, outcome }: Submitted): void {
    const ids = this.#working.get(owner) ?? new Set()
    this.#working.set(owner, ids.add(id))
    const forget = () => {
      ids.delete(id)
      if (ids.size === 0) this.#working.delete(owner)
    }
    void outcome().then(forget, forget)
  }

  /** Somebody's jobs that are not over, the oldest first. */
  async working(owner: string): Promise<JobView[]> {
    const views = await Promise.all([...(this.#working.get(owner) ?? [])].map(id => this.#jobs.get(id)))
    return views.filter(view => typeof view === 'object')
  }

  async interrupt(owner: string): Promise<void> {
    await Promise.all([...(this.#working.get(owner) ?? [])].map(id => this.#jobs.cancel(id, 'job_cancelled')))
  }
}
