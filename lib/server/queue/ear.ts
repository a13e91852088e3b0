/** The connection on which a process hears what is told in the database. It comes back by itself. */
export interface Ear {
  /** Resolves when nothing is missed from then on, but for what is said while the connection is away. */
  listen(name: string): Promise<void>
  ignore(name: string): void
  close(): void
}

/** Who hears it. */
export interface EarHooks {
  told(name: string, text: string): void
  /** The connection is there, for the first time or again: what was said meanwhile is not said again. */
  found(): void
  lost(): void
}

export type OpenEar = (hooks: EarHooks) => Ear
