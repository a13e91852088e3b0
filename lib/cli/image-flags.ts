import type { Command } from 'commander'
import type { Call } from '../options/sampling.js'
import type { VaryOptions } from '../index.js'
import { withModelFlags, withOutputFlags, withSamplingFlags, type ModelFlags } from './flags.js'
import type { OutputFlags } from './write-images.js'

/** What `reconstruct`, `vary` and `edit` have in common. */
export interface ImageFlags extends ModelFlags, OutputFlags, Omit<VaryOptions, 'signal' | 'onStep'> {}

/** The prompt of all images; files without one have an empty one. */
export const promptOf = ({ prompt }: ImageFlags) => (typeof prompt === 'string' ? prompt : '')

/** Flags of `reconstruct`, `vary` and `edit`. */
export function withImageFlags(command: Command, call: Call): Command {
  return withOutputFlags(withSamplingFlags(withModelFlags(command), call))
}
