/** Types of what `lib/` uses of libtorch.mjs. */
export interface Libtorch {
  /** The folder with `include/` and `lib/`. */
  directory: string
  /** Such as `2.13.0`. */
  version: string
  /** Where it was found, for people. */
  source: string
  /** Whether it has the CUDA libraries. */
  cuda: boolean
  /** The interpreter it belongs to. */
  python: string | null
}

export interface Place {
  source: string
  required: boolean
  python: string | null
  directory: () => string | undefined
}

export function versionIn(directory: string): string | undefined
export function places(env: Record<string, string | undefined>): Place[]
export function findLibtorch(among: Place[], minor?: string | null):
  { found: Libtorch | undefined, tried: string[], refused: string | undefined }
