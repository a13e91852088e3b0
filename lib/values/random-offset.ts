import { MOST_STEPS } from '../options/sampling.js'

/**
 * The most random normals that a prior can have drawn for an embedding of so many elements: its start noise, then one draw a
 * step, and with a mask another one. The engine draws a stream again up to its offset, and the offset can be a file's word.
 */
export function mostRandomOffset(elements: number): number {
  return (1 + 2 * MOST_STEPS) * elements
}
